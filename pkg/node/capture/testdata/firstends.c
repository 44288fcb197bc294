/* The first thread ends by itself. Another one goes on: it computes, touches new memory and naps. */
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile unsigned long sink;

__attribute__((noinline)) static void grind(void)
{
	for (unsigned long i = 0; i < 5000000; i++)
		sink += i * i;
}

__attribute__((noinline)) static void touch(void)
{
	const size_t size = 64 << 12;
	volatile char *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
	munmap((void *)memory, size);
}

__attribute__((noinline)) static void nap(void)
{
	usleep(5000);
	sink++;
}

static void *worker(void *first)
{
	pthread_join(*(pthread_t *)first, 0);
	puts("ready");
	fflush(stdout);
	for (;;) {
		grind();
		touch();
		nap();
	}
	return 0;
}

int main(void)
{
	static pthread_t first;
	pthread_t thread;

	first = pthread_self();
	pthread_create(&thread, 0, worker, &first);
	pthread_exit(0);
}
