/* Is busy in one function until a byte arrives on stdin, then in another that was not mapped before. With -DLIBRARY it
 * compiles to the library that has the second function, with -DSUCCESSOR to the program that has it. */
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static volatile unsigned long count;

#if defined(LIBRARY)
__attribute__((noinline)) void in_library(void)
{
	for (;;)
		count++;
}
#elif defined(SUCCESSOR)
__attribute__((noinline)) void after(void)
{
	for (;;)
		count++;
}

int main(void)
{
	after();
	count++;
	return 0;
}
#else
__attribute__((noinline)) void before(void)
{
	char byte;
	while (read(0, &byte, 1) != 1)
		for (int i = 0; i < 1000000; i++)
			count++;
}

/* Usage: changes execute|load|wait FILE. After before(), executes FILE or loads it as a library; "wait" does neither. */
int main(int argc, char **argv)
{
	fcntl(0, F_SETFL, O_NONBLOCK);
	before();
	if (!strcmp(argv[1], "execute"))
		execl(argv[2], argv[2], NULL);
	if (!strcmp(argv[1], "load")) {
		void (*run)(void) = (void (*)(void))dlsym(dlopen(argv[2], RTLD_NOW), "in_library");
		run();
		count++;
	}
	return 1;
}
#endif
