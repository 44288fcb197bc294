/* Touches a known number of pages on known call paths. Each line on stdin is a number of pages for each of two threads. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))
#define PAGE 4096

static NOINLINE void touch(char *memory, long pages)
{
	for (long i = 0; i < pages; i++)
		memory[i * PAGE] = 1;
	__asm__ volatile("" ::: "memory");
}

/* Maps new pages of 4 KiB, uses and unmaps them. */
static NOINLINE void fresh(long pages, void (*use)(char *, long))
{
	while (pages > 0) {
		long n = pages < 4096 ? pages : 4096;
		char *memory = mmap(0, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED || madvise(memory, n * PAGE, MADV_NOHUGEPAGE))
			exit(1);
		use(memory, n);
		munmap(memory, n * PAGE);
		pages -= n;
	}
}

static NOINLINE void touch_three(char *memory, long pages) { touch(memory, pages); __asm__ volatile(""); }
static NOINLINE void touch_one(char *memory, long pages) { touch(memory, pages); __asm__ volatile(""); }

static NOINLINE void *grow(void *pages)
{
	fresh((long)pages, touch_one);
	fresh(3 * (long)pages, touch_three);
	return 0;
}

/* Prints the time taken for each line, in ns. */
int main(void)
{
	long pages;
	while (scanf("%ld", &pages) == 1) {
		pthread_t other;
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		if (pthread_create(&other, 0, grow, (void *)pages))
			return 1;
		grow((void *)pages);
		pthread_join(other, 0);
		clock_gettime(CLOCK_MONOTONIC, &b);
		printf("%ld\n", (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec);
		fflush(stdout);
	}
	return 0;
}
