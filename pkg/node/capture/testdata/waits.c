/* Waits for known times on known call paths. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static NOINLINE void rest(long ns)
{
	struct timespec t = {ns / 1000000000, ns % 1000000000};
	nanosleep(&t, 0);
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void nap_short(void) { rest(2000000); __asm__ volatile(""); }
static NOINLINE void nap_long(void) { rest(10000000); __asm__ volatile(""); }

static long now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

#define WINKERS 4

/* What the threads measured themselves; times in ns. An account belongs to one thread. Its changes are odd while it
 * changes, so that others read it as a whole, with the wait that is in progress. */
struct account {
	volatile long changes, total, since;
};

static volatile long naps, burned;
static struct account napped_short, napped_long, waited_for_lock, winked_short[WINKERS], winked_long[WINKERS];

static void change(struct account *a, long since)
{
	long at = now(CLOCK_MONOTONIC);

	a->changes++;
	__sync_synchronize();
	if (a->since)
		a->total += at - a->since;
	a->since = since ? at : 0;
	__sync_synchronize();
	a->changes++;
}

static void begin(struct account *a) { change(a, 1); }
static void end(struct account *a) { change(a, 0); }

static long so_far(struct account *a)
{
	long changes, total;

	do {
		changes = a->changes;
		__sync_synchronize();
		total = a->total + (a->since ? now(CLOCK_MONOTONIC) - a->since : 0);
		__sync_synchronize();
	} while (changes % 2 || changes != a->changes);
	return total;
}

static long so_far_of_all(struct account *a)
{
	long total = 0;

	for (int i = 0; i < WINKERS; i++)
		total += so_far(a + i);
	return total;
}

/* Two call paths to the same place, with frames of the same size. */
static NOINLINE void *napper(void *_)
{
	for (;;) {
		begin(&napped_short);
		nap_short();
		end(&napped_short);
		begin(&napped_long);
		nap_long();
		end(&napped_long);
		naps++;
	}
	return 0;
}

static NOINLINE void wink_short(void) { rest(100000); __asm__ volatile(""); }
static NOINLINE void wink_long(void) { rest(900000); __asm__ volatile(""); }

/* The same, too often for every stack to be walked. */
static NOINLINE void *winker(void *_)
{
	static int winkers;
	int i = __sync_fetch_and_add(&winkers, 1);

	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		begin(winked_short + i);
		wink_short();
		end(winked_short + i);
		begin(winked_long + i);
		wink_long();
		end(winked_long + i);
	}
	return 0;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void want(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

static int turns[2][2];

/* Makes wanter wait for the lock for 20 of every 30 ms. */
static NOINLINE void *holder(void *_)
{
	char c = 0;
	for (;;) {
		pthread_mutex_lock(&mutex);
		if (write(turns[0][1], &c, 1) != 1)
			exit(1);
		rest(20000000);
		pthread_mutex_unlock(&mutex);
		rest(10000000);
	}
}

static NOINLINE void *wanter(void *_)
{
	char c;
	for (;;) {
		if (read(turns[0][0], &c, 1) != 1)
			exit(1);
		begin(&waited_for_lock);
		want();
		end(&waited_for_lock);
	}
}

static NOINLINE void sleep_for_ever(int fd)
{
	char c;
	if (read(fd, &c, 1) == 1)
		abort();
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void *sleeper(void *_)
{
	int fds[2];
	if (pipe(fds))
		exit(1);
	sleep_for_ever(fds[0]);
	return 0;
}

static volatile unsigned long sink;

static NOINLINE void burn(long ns)
{
	long begin = now(CLOCK_THREAD_CPUTIME_ID), end;
	do {
		for (int i = 0; i < 100000; i++)
			sink += i;
		end = now(CLOCK_THREAD_CPUTIME_ID);
	} while (end - begin < ns);
	burned += end - begin;
}

/* Is busy for 5 ms of CPU time, then sleeps 5 ms. */
static NOINLINE void *worker(void *_)
{
	for (;;) {
		burn(5000000);
		rest(5000000);
	}
	return 0;
}

/* Two threads that pass a byte back and forth as fast as they can, and count the rounds. */
static int there[2], back[2];
static volatile long rounds;

static NOINLINE void *pinger(void *_)
{
	char c = 0;
	for (;;) {
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			exit(1);
		rounds++;
	}
}

static NOINLINE void *ponger(void *_)
{
	char c = 0;
	for (;;)
		if (read(there[0], &c, 1) != 1 || write(back[1], &c, 1) != 1)
			exit(1);
}

struct thread {
	const char *name;
	void *(*run)(void *);
};

static void *named(void *p)
{
	struct thread *t = p;
	prctl(PR_SET_NAME, t->name);
	return t->run(0);
}

static void start(const char *name, void *(*run)(void *))
{
	pthread_t t;
	struct thread *p = malloc(sizeof(*p));
	if (!p)
		exit(1);
	*p = (struct thread){name, run};
	if (pthread_create(&t, 0, named, p))
		exit(1);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "pingpong")) {
		if (pipe(there) || pipe(back))
			return 1;
		start("pinger", pinger);
		start("ponger", ponger);
		for (;;) { /* prints the number of rounds for each line on stdin */
			char line[16];
			if (!fgets(line, sizeof(line), stdin))
				return 0;
			printf("%ld\n", rounds);
			fflush(stdout);
		}
	}
	if (pipe(turns[0]))
		return 1;
	start("napper", napper);
	start("holder", holder);
	start("wanter", wanter);
	start("sleeper", sleeper);
	start("worker", worker);
	for (int i = 0; i < WINKERS; i++)
		start("winker", winker);
	for (;;) {
		char line[16];
		if (!fgets(line, sizeof(line), stdin))
			return 0;
		printf("%ld %ld %ld %ld %ld %ld %ld %ld\n", now(CLOCK_MONOTONIC), naps, so_far(&napped_short), so_far(&napped_long), so_far(&waited_for_lock), burned,
		       so_far_of_all(winked_short), so_far_of_all(winked_long));
		fflush(stdout);
	}
}
