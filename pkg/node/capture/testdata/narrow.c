/* Built for 386, without a C library. */
static volatile unsigned long sink;

__attribute__((noinline)) static void burn(void)
{
	for (unsigned long i = 0; i < 1000000; i++)
		sink += i;
}

void _start(void)
{
	for (;;)
		burn();
}
