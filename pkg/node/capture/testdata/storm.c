/* Starts many short processes. Half of them are busy after fork, half execute this program first. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

__attribute__((noinline)) void burn(long long ns)
{
	while (now(CLOCK_PROCESS_CPUTIME_ID) < ns)
		for (volatile int i = 0; i < 1000; i++)
			;
}

__attribute__((noinline)) void burn_forked(long long ns) { burn(ns); }
__attribute__((noinline)) void burn_executed(long long ns) { burn(ns); }

static long long used(int who)
{
	struct rusage u;
	getrusage(who, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

/* Usage: storm PROCESSES PER_SECOND CPU_NS. Starts when a line arrives on stdin; prints the CPU time of all in ns. */
int main(int argc, char **argv)
{
	if (argc == 2) {
		burn_executed(atoll(argv[1]));
		return 0;
	}
	int count = atoi(argv[1]), rate = atoi(argv[2]);
	getchar();
	long long next = now(CLOCK_MONOTONIC);
	for (int i = 0; i < count; i++) {
		/* At irregular times, so that the starts do not synchronize with the sampling period. */
		next += random() % (2000000000LL / rate);
		long long pause = next - now(CLOCK_MONOTONIC);
		if (pause > 0)
			nanosleep(&(struct timespec){pause / 1000000000, pause % 1000000000}, 0);
		if (fork() == 0) {
			if (i % 2)
				execl("/proc/self/exe", "storm", argv[3], NULL);
			burn_forked(atoll(argv[3]));
			_exit(0);
		}
		while (waitpid(-1, 0, WNOHANG) > 0)
			;
	}
	while (wait(0) > 0)
		;
	printf("%lld\n", used(RUSAGE_SELF) + used(RUSAGE_CHILDREN));
	fflush(stdout);
	getchar();
	return 0;
}
