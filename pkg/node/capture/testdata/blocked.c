/* For each line on stdin, waits 50 times uninterruptibly, as for a disk: in vfork, for the child to exit. Prints how
 * long that took, in seconds. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static NOINLINE void wait_for_child(void)
{
	struct timespec t = {0, 10000000};
	if (vfork() == 0) {
		nanosleep(&t, 0);
		_exit(0);
	}
	wait(0);
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void wait_for_line(void)
{
	char c;
	while (read(0, &c, 1) == 1 && c != '\n')
		;
	__asm__ volatile("" ::: "memory");
}

int main(void)
{
	setlinebuf(stdout);
	for (;;) {
		wait_for_line();
		double begin = now();
		for (int i = 0; i < 50; i++)
			wait_for_child();
		printf("%f\n", now() - begin);
	}
}
