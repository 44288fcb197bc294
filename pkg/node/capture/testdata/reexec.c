/* Executes another program every 30 ms of CPU time: its two arguments in turn. A third argument makes it print that it is ready. ODD programs have the code
 * of odd_work where the others have that of even_work, unless they are position-independent. */
#include <unistd.h>

static volatile unsigned long sink;

#ifdef ODD
#define work odd_work
#else
#define work even_work
#endif

__attribute__((noinline)) static void work(unsigned long rounds)
{
	for (unsigned long i = 0; i < rounds; i++)
		sink += i;
}

int main(int argc, char **argv)
{
	char *next[] = { argv[2], argv[2], argv[1], 0 };

	if (argc == 4)
		write(1, "ready\n", 6);
	work(20000000);
	execv(next[0], next);
	return 1;
}
