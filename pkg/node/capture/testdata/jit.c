/* Makes two functions at run time and lists them in /tmp/perf-PID.map, as runtimes do, with odd lines among the
 * good ones. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
#if defined(__x86_64__) /* push rbp; mov rbp,rsp; mov ecx,1500000; 1: dec rcx; jnz 1b; pop rbp; ret */
	static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xb9, 0x60, 0xe3, 0x16, 0, 0x48, 0xff, 0xc9, 0x75, 0xfb, 0x5d, 0xc3};
#else /* stp x29,x30,[sp,#-16]!; mov x29,sp; movz x0,#16,lsl #16; 1: subs x0,x0,#1; b.ne 1b; ldp x29,x30,[sp],#16; ret */
	static const unsigned code[] = {0xa9bf7bfd, 0x910003fd, 0xd2a00200, 0xf1000400, 0x54ffffe1, 0xa8c17bfd, 0xd65f03c0};
#endif
	char *memory = mmap(0, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), path[64];

	memcpy(memory, code, sizeof code);
	memcpy(memory + 4096, code, sizeof code);
	__builtin___clear_cache(memory, memory + 8192);
	snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
	FILE *map = fopen(path, "w");
	fprintf(map, "%lx 40 old name of the same place\n", (long)memory);
	fprintf(map, "0x%lx 0x40 LazyCompile:*busy /srv/app.js:1 (with blanks)\n", (long)memory);
	fprintf(map, "%lX %X Upper;case::name<T, U>\n", (long)memory + 4096, 64);
	fprintf(map, "not a line\n\n%lx\n", (long)memory);
	fclose(map);
	for (;;) {
		((void (*)(void))memory)();
		((void (*)(void))(memory + 4096))();
	}
}
