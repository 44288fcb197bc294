/* Moves its own code into anonymous memory at the same addresses, as programs do that want it on huge pages:
 * all of it ("all"), or without the first and the last page ("middle"). */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static volatile unsigned long sink;

#define KEEP __attribute__((noinline, noclone))

__asm__(".balign 4096\n"
	".fill 12288, 1, 0x90\n");

KEEP static unsigned long leaf(unsigned long n)
{
	unsigned long s = 0;

	for (unsigned long i = 0; i < n; i++)
		s += i ^ sink;
	return s;
}

KEEP static unsigned long caller(unsigned long n)
{
	return leaf(n) + 1;
}

__asm__(".balign 4096\n"
	".fill 12288, 1, 0x90\n");

static int move_code(int all)
{
	unsigned long start = 0, end = 0, here = (unsigned long)move_code;
	char line[4096], permissions[5];
	FILE *maps = fopen("/proc/self/maps", "r");

	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx %4s", &start, &end, permissions) == 3 && permissions[2] == 'x' && start <= here && here < end)
			break;
	fclose(maps);
	if (!all) {
		start += 4096;
		end -= 4096;
	}
	void *copy = mmap(0, end - start, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(copy, (void *)start, end - start);
	mprotect(copy, end - start, PROT_READ | PROT_EXEC);
	return mremap(copy, end - start, end - start, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start) == MAP_FAILED;
}

int main(int argc, char **argv)
{
	if (move_code(argc < 2 || !strcmp(argv[1], "all")))
		return 1;
	for (;;)
		sink += caller(1000000);
}
