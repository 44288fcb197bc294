/* Has io_uring's worker threads do the work: "work" reads /dev/zero all the time, "wait" reads a pipe into which
 * nothing is written. */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_BYTES (64 << 20)

struct ring {
	int fd;
	struct io_uring_params params;
	char *submissions, *completions;
	struct io_uring_sqe *entries;
};

static int open_ring(struct ring *r)
{
	memset(r, 0, sizeof *r);
	r->fd = syscall(__NR_io_uring_setup, 8, &r->params);
	if (r->fd < 0) /* kernel.io_uring_disabled, or seccomp */
		return -1;
	r->submissions = mmap(0, r->params.sq_off.array + r->params.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->completions = mmap(0, r->params.cq_off.cqes + r->params.cq_entries * sizeof(struct io_uring_cqe),
			      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_CQ_RING);
	r->entries = mmap(0, r->params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	return 0;
}

/* Has a worker read from a file, and waits until it has done so. */
static int read_async(struct ring *r, int from, void *to)
{
	unsigned *tail = (void *)(r->submissions + r->params.sq_off.tail);
	unsigned *mask = (void *)(r->submissions + r->params.sq_off.ring_mask);
	unsigned *indexes = (void *)(r->submissions + r->params.sq_off.array);
	unsigned *head = (void *)(r->completions + r->params.cq_off.head);
	unsigned i = *tail & *mask;

	r->entries[i] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ, .flags = IOSQE_ASYNC, .fd = from, .addr = (unsigned long)to, .len = READ_BYTES,
	};
	indexes[i] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) < 0)
		return -1;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return 0;
}

int main(int argc, char **argv)
{
	struct ring ring;
	int ends[2], from;

	if (argc < 2 || open_ring(&ring) || pipe(ends))
		return 1;
	from = strcmp(argv[1], "wait") ? open("/dev/zero", O_RDONLY) : ends[0];
	while (!read_async(&ring, from, malloc(READ_BYTES)))
		;
	return 2;
}
