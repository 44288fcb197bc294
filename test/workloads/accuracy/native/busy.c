/* A target for measuring accuracy: two threads use the CPU in functions with known, different shares,
 * called through chains of functions and through qsort and bsearch of the C library. It is compiled
 * without frame pointers. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEEP __attribute__((noinline, noclone))

static _Thread_local volatile unsigned long sink;

/* Twenty leaf functions. The time in the n-th grows with n. */
#define LEAF(n)                                                        \
	KEEP static unsigned long leaf##n(unsigned long x)             \
	{                                                              \
		for (unsigned long i = 0; i < 40ul * n; i++)           \
			x += (x ^ i * n) >> 3;                         \
		return sink = x;                                       \
	}
LEAF(1) LEAF(2) LEAF(3) LEAF(4) LEAF(5) LEAF(6) LEAF(7) LEAF(8) LEAF(9) LEAF(10)
LEAF(11) LEAF(12) LEAF(13) LEAF(14) LEAF(15) LEAF(16) LEAF(17) LEAF(18) LEAF(19) LEAF(20)

/* A chain of forty functions with stack frames of different sizes. Each also calls a leaf. */
#define LINK(n, next, leaf)                                            \
	KEEP static unsigned long link##n(unsigned long x)             \
	{                                                              \
		char room[8 * n];                                      \
		memset(room, (int)x, sizeof(room));                    \
		return next(x + n) + leaf(x) + room[x % sizeof(room)]; \
	}
LINK(1, leaf1, leaf1) LINK(2, link1, leaf2) LINK(3, link2, leaf3) LINK(4, link3, leaf4) LINK(5, link4, leaf5)
LINK(6, link5, leaf6) LINK(7, link6, leaf7) LINK(8, link7, leaf8) LINK(9, link8, leaf9) LINK(10, link9, leaf10)
LINK(11, link10, leaf11) LINK(12, link11, leaf12) LINK(13, link12, leaf13) LINK(14, link13, leaf14) LINK(15, link14, leaf15)
LINK(16, link15, leaf16) LINK(17, link16, leaf17) LINK(18, link17, leaf18) LINK(19, link18, leaf19) LINK(20, link19, leaf20)
LINK(21, link20, leaf1) LINK(22, link21, leaf2) LINK(23, link22, leaf3) LINK(24, link23, leaf4) LINK(25, link24, leaf5)
LINK(26, link25, leaf6) LINK(27, link26, leaf7) LINK(28, link27, leaf8) LINK(29, link28, leaf9) LINK(30, link29, leaf10)
LINK(31, link30, leaf11) LINK(32, link31, leaf12) LINK(33, link32, leaf13) LINK(34, link33, leaf14) LINK(35, link34, leaf15)
LINK(36, link35, leaf16) LINK(37, link36, leaf17) LINK(38, link37, leaf18) LINK(39, link38, leaf19) LINK(40, link39, leaf20)

KEEP static int compare(const void *a, const void *b)
{
	leaf3(sink);
	return *(const int *)a - *(const int *)b;
}

KEEP static void sort_and_search(void)
{
	int numbers[100];

	for (int i = 0; i < 100; i++)
		numbers[i] = (int)(leaf1(i) % 1000);
	qsort(numbers, 100, sizeof(int), compare);
	sink += bsearch(&numbers[17], numbers, 100, sizeof(int), compare) != 0;
}

static void *run(void *unused)
{
	for (;;) {
		for (int i = 0; i < 10; i++)
			link40(sink);
		sort_and_search();
	}
	return unused;
}

int main(void)
{
	pthread_t t;

	pthread_create(&t, 0, run, 0);
	run(0);
}
