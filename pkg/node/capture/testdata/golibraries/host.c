/* Loads two libraries that are built with Go. The second allocates 40 MiB, the first 10 MiB. */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		void *library = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
		void (*grow)(int) = library ? (void (*)(int))dlsym(library, "Grow") : 0;
		if (!grow) {
			puts(dlerror());
			return 1;
		}
		grow(i == 2 ? 40 : 10);
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
