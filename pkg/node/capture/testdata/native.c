/* Programs whose stacks are hard to walk. Each is busy in burn(), called through a chain of functions. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static volatile unsigned long sink;

#define KEEP __attribute__((noinline, noclone))

/* Uses all callee-saved registers, including the frame pointer. */
KEEP static unsigned long burn(unsigned long n)
{
	unsigned long a = n, b = n ^ 1, c = n + 2, d = n * 3, e = n - 4, f = ~n, g = n << 6, h = n >> 1;

	for (int i = 0; i < 100000; i++) {
		a += b ^ i, b -= c + i, c ^= d, d += e ^ a, e -= f, f ^= g + i, g += h, h ^= a;
	}
	return sink = a + b + c + d + e + f + g + h;
}

/* A chain of functions that differ, so that the compiler does not merge them. */
#define LINK(n, next) \
	KEEP static unsigned long link##n(unsigned long x) { char room[16 * n]; memset(room, (int)x, sizeof(room)); return next(x + n) + room[x % (16 * n)]; }
LINK(1, burn)
LINK(2, link1)
LINK(3, link2)
LINK(4, link3)
LINK(5, link4)

KEEP static void deep(void)
{
	for (;;)
		link5(sink);
}

/* The C library calls back, from qsort. */
KEEP static int compare(const void *a, const void *b)
{
	burn(sink);
	return *(const int *)a - *(const int *)b;
}

KEEP static void callback(void)
{
	int numbers[64];

	for (;;) {
		for (int i = 0; i < 64; i++)
			numbers[i] = rand();
		qsort(numbers, 64, sizeof(int), compare);
	}
}

/* Spends most of its time in a signal handler that interrupts a loop. */
KEEP static void handler(int number)
{
	(void)number;
	for (int i = 0; i < 100; i++)
		link2(sink);
}

KEEP static unsigned long interrupted(void)
{
	unsigned long n = 0;

	for (;;)
		n += sink;
	return n;
}

KEEP static void by_signal(void)
{
	struct itimerval often = {{0, 4000}, {0, 4000}};

	signal(SIGPROF, handler);
	setitimer(ITIMER_PROF, &often, 0);
	interrupted();
}

/* Runs the vDSO, the kernel's code in the process. */
KEEP static void vdso(void)
{
	struct timespec t;

	for (;;)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

/* Has an aligned frame, whose distance from the caller's frame varies. */
KEEP static void aligned(void)
{
	for (;;) {
		volatile char room[64] __attribute__((aligned(64)));
		char *more = __builtin_alloca(sink % 100 + 1);

		room[0] = 1;
		more[0] = room[0];
		link1(sink + more[0]);
	}
}

/* Code without unwind information that uses the frame pointer as a plain register. */
__asm__(".text\n.type undescribed,@function\nundescribed:\n"
#if defined(__x86_64__)
	"push %rbp\nsub $32, %rsp\nmov $12345, %ebp\n1: call burn_for_asm\njmp 1b\n"
#elif defined(__aarch64__)
	"sub sp, sp, #48\nstr x30, [sp]\nmov x29, #12345\n1: bl burn_for_asm\nb 1b\n"
#endif
	".size undescribed,.-undescribed\n");
void undescribed(void);
void burn_for_asm(void);
KEEP void burn_for_asm(void) { burn(sink); sink++; }

static void *run(void *what)
{
	((void (*)(void))what)();
	return 0;
}

KEEP static void thread(void)
{
	pthread_t t;

	pthread_create(&t, 0, run, deep);
	pthread_join(t, 0);
}

int main(int count, char **arguments)
{
	static const struct { const char *name; void (*run)(void); } all[] = {
		{"deep", deep}, {"callback", callback}, {"signal", by_signal}, {"vdso", vdso},
		{"aligned", aligned}, {"undescribed", undescribed}, {"thread", thread},
	};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (count == 2 && !strcmp(arguments[1], all[i].name))
			all[i].run();
	return 1;
}
