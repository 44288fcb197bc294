// Starts as many threads as the argument says, which sleep until stdin ends.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *sleep_forever(void *unused)
{
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (int i = 0; i < atoi(argv[1]); i++) {
		if (pthread_create(&thread, &attr, sleep_forever, NULL)) {
			perror("pthread_create");
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	return getchar() != EOF;
}
