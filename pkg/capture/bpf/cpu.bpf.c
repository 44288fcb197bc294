//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Samples the stacks of the target's tasks: a perf event of every CPU runs `take_sample` at a fixed
 * period of CPU-clock time, and what it finds goes to user space through a ring buffer.
 */
#include "target.h"
#include "unwind.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set by the loader before the program is verified. */
const volatile __u64 target_cgroup; /* id of the container's cgroup */
const volatile __u32 own_level;     /* depth of the PID namespace of our own /proc, the first having 0 */
const volatile __u64 pidns_dev;     /* device and inode of that namespace */
const volatile __u64 pidns_ino;
const volatile __u32 wakeup_bytes;  /* user space is woken when this much waits in the ring buffer */

/* Flags of a sample. */
enum sample_flag {
	SAMPLE_TRUNCATED = 1, /* the user stack is deeper than MAX_USER_FRAMES */
};

/* A sample as it goes through the ring buffer, cut after the frames that it has. */
struct sample {
	__u32 tgid;          /* in the kernel's first PID namespace: identifies the process */
	__u32 tid;
	__u32 pid;           /* of the process, in the PID namespace of our /proc; 0 if unknown */
	__u16 kernel_frames; /* number of addresses, first in the stack */
	__u16 user_frames;   /* number of addresses, after the kernel's */
	__u32 flags;         /* enum sample_flag */
	char comm[16];       /* of the thread */
	__u32 execs;         /* how often the process and its ancestors called execve */
	__u64 started;       /* when the process did, ns since boot: tells a PID that came again */
	/* What the leaf function returns to, if it keeps no frame pointer, is among these. */
	__u64 link;           /* the link register; 0 on amd64 */
	__u64 top[TOP_WORDS]; /* the words at the stack pointer; 0 if they cannot be read */
	__u64 stack[MAX_KERNEL_FRAMES + MAX_USER_FRAMES]; /* leaf first */
};
/* These keep the types in the BTF, for bpf2go -type. */
const struct sample *unused_sample __attribute__((unused));
const enum sample_flag *unused_flag __attribute__((unused));

/* Resized by the loader: 1 to 4 MiB by the number of CPUs, 100 ms of samples at the highest rate. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

struct scratch {
	struct walk walk;
	struct sample sample;
};

/* One sample for each CPU, for 9 KB do not fit on a BPF program's stack of 512 bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* Samples of the target that found no room in the ring buffer, by CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

static __always_inline __u32 pid_of(__u32 tgid)
{
	if (own_level == 0)
		return tgid;
	if (may_read_kernel) {
		if (has_typed_task())
			return pid_at_level(bpf_get_current_task_btf(), own_level);
		return pid_at_level((void *)bpf_get_current_task(), own_level);
	}
	/* Under lockdown, tasks in namespaces below our own stay unknown. */
	struct bpf_pidns_info ns = {};
	if (bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &ns, sizeof(ns)))
		return 0;
	return ns.tgid;
}

/* Unwinds into the scratch sample, behind its kernel frames. */
static __always_inline void unwind_bounded(struct scratch *memory)
{
	__u64 *stack = &memory->sample.stack[memory->sample.kernel_frames & (MAX_KERNEL_FRAMES - 1)];

	for (__u32 i = 0; i < MAX_USER_FRAMES; i++)
		if (step(i, stack, &memory->walk))
			return;
	memory->walk.frames = MAX_USER_FRAMES + 1;
}

static long step_of_loop(__u32 i, void *unused)
{
	__u32 zero = 0;
	struct scratch *memory = bpf_map_lookup_elem(&scratch, &zero);

	if (!memory || i >= MAX_USER_FRAMES)
		return 1;
	if (step(i, &memory->sample.stack[memory->sample.kernel_frames & (MAX_KERNEL_FRAMES - 1)], &memory->walk))
		return 1;
	if (i == MAX_USER_FRAMES - 1)
		memory->walk.frames = MAX_USER_FRAMES + 1;
	return 0;
}

static __always_inline int take(struct bpf_perf_event_data *ctx, int may_loop)
{
	if (has_typed_task()) {
		if (!in_target_typed(bpf_get_current_task_btf(), target_cgroup))
			return 0;
	} else if (!in_target_probed((void *)bpf_get_current_task(), target_cgroup)) {
		return 0;
	}

	__u32 zero = 0;
	struct scratch *memory = bpf_map_lookup_elem(&scratch, &zero);
	if (!memory)
		return 0;
	struct sample *s = &memory->sample;
	__u64 id = bpf_get_current_pid_tgid();
	s->tgid = id >> 32;
	s->tid = id;
	s->pid = pid_of(s->tgid);
	s->flags = 0;
	program_of(&s->started, &s->execs);
	bpf_get_current_comm(s->comm, sizeof(s->comm));

	long bytes = bpf_get_stack(ctx, s->stack, (MAX_KERNEL_FRAMES - 1) * sizeof(__u64), 0);
	__u32 kernel_frames = bytes > 0 ? (__u32)bytes / sizeof(__u64) : 0;
	kernel_frames &= MAX_KERNEL_FRAMES - 1; /* a power of two, so this bounds it for the verifier */
	s->kernel_frames = kernel_frames;

	struct user_registers regs = {};
	__u32 user_frames = 0;
	s->link = 0;
	if (user_registers(ctx, &regs)) {
		s->link = regs.lr;
		if (bpf_probe_read_user(s->top, sizeof(s->top), (void *)regs.sp))
			__builtin_memset(s->top, 0, sizeof(s->top));
		begin(&memory->walk, &regs);
		if (may_loop)
			bpf_loop(MAX_USER_FRAMES, step_of_loop, 0, 0);
		else
			unwind_bounded(memory);
		user_frames = memory->walk.frames;
		if (user_frames > MAX_USER_FRAMES) {
			user_frames = MAX_USER_FRAMES;
			s->flags |= SAMPLE_TRUNCATED;
		}
	}
	s->user_frames = user_frames;

	__u64 size = __builtin_offsetof(struct sample, stack) + (kernel_frames + user_frames) * sizeof(__u64);
	if (size > sizeof(*s)) /* never; tells the verifier */
		return 0;
	__u64 waiting = bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA);
	if (bpf_ringbuf_output(&samples, s, size, waiting >= wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP)) {
		__u64 *count = bpf_map_lookup_elem(&lost, &zero);
		if (count)
			*count += 1; /* our own CPU's; a perf event does not interrupt another */
	}
	return 0;
}

/* The verifier goes once through a bpf_loop (Linux 5.17), and a thousand times through a bounded
 * loop, which takes it half a second: the first is loaded where the kernel has the helper. */
SEC("perf_event")
int take_sample(struct bpf_perf_event_data *ctx)
{
	return take(ctx, 1);
}

SEC("perf_event")
int take_sample_bounded(struct bpf_perf_event_data *ctx)
{
	return take(ctx, 0);
}
