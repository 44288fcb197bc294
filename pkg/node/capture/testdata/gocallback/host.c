/* C calls Go, which calls C, ten times within each other, on a thread with an alternate signal stack. */
#include "library.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile unsigned long sink;

__attribute__((noinline)) static void crunch(int n)
{
	if (n > 0)
		Enter(crunch, n - 1);
	for (unsigned long i = 0; n == 0 && i < 10000000; i++)
		sink += i;
}

__attribute__((noinline)) static void serve(void)
{
	Enter(crunch, 9);
	__asm__ volatile("");
}

int main(void)
{
	stack_t s = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};

	sigaltstack(&s, 0);
	puts("ready");
	fflush(stdout);
	for (;;)
		serve();
}
