//go:build ignore

/* A busy C program with frame pointers: caller_c calls hot_c for ever. */
static volatile unsigned long sink;

__attribute__((noinline)) static void hot_c(unsigned long n)
{
	for (unsigned long i = 0; i < 100000; i++)
		sink += n ^ i;
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void caller_c(void)
{
	for (unsigned long n = 0;; n++)
		hot_c(n);
}

int main(void)
{
	caller_c();
	return 0;
}
