/* A program that waits, with what other compilers of Go leave in a program: export data of gccgo, or a symbol of TinyGo's
 * runtime. */
#include <stdio.h>
#include <unistd.h>

#ifdef GCCGO
__asm__(".pushsection .go_export, \"\", %progbits\n.ascii \"v3;\\n\"\n.popsection");
#else
void tinygo_startTask(void) {}
#endif

int main(void)
{
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
