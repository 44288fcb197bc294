/* Runs the static program that is appended to this one, from anonymous memory, as a packed program does. The last 44
 * bytes of the file are the program's size and the header with which UPX ends a file. */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

static void jump(uint64_t entry, void *stack)
{
#if defined(__x86_64__)
	__asm__ volatile("mov %1, %%rsp\n\txor %%edx, %%edx\n\txor %%ebp, %%ebp\n\tjmp *%0" : : "a"(entry), "c"(stack) : "memory");
#elif defined(__aarch64__)
	register uint64_t x9 __asm__("x9") = entry;
	register void *x10 __asm__("x10") = stack;
	__asm__ volatile("mov sp, %1\n\tmov x29, xzr\n\tmov x30, xzr\n\tmov x0, xzr\n\tbr %0" : : "r"(x9), "r"(x10) : "memory");
#endif
	__builtin_unreachable();
}

int main(int argc, char **argv)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	off_t end = lseek(fd, 0, SEEK_END) - 44;
	uint64_t size;
	Elf64_Ehdr header;
	Elf64_Phdr segments[16];

	(void)argc;
	if (pread(fd, &size, 8, end) != 8 || pread(fd, &header, sizeof(header), end - size) != sizeof(header) || header.e_phnum > 16)
		return 1;
	if (pread(fd, segments, header.e_phnum * sizeof(*segments), end - size + header.e_phoff) < 0)
		return 1;
	for (int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr *s = &segments[i];
		uint64_t start = s->p_vaddr & ~4095ULL;
		char *at;

		if (s->p_type != PT_LOAD)
			continue;
		at = mmap((void *)start, s->p_vaddr + s->p_memsz - start, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (at == MAP_FAILED || pread(fd, (void *)s->p_vaddr, s->p_filesz, end - size + s->p_offset) < 0)
			return 1;
		mprotect(at, s->p_vaddr + s->p_memsz - start, (s->p_flags & PF_R ? PROT_READ : 0) |
			 (s->p_flags & PF_W ? PROT_WRITE : 0) | (s->p_flags & PF_X ? PROT_EXEC : 0));
	}
	close(fd);
	jump(header.e_entry, (char *)argv - 8); /* the stack as the kernel has made it begins with argc */
}
