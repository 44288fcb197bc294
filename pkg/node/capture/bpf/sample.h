/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What all profilers do with a stack: a program finds whose it is, the kernel's half and the registers; `walk`
 * unwinds the user's half, and what was found goes to user space through a ring buffer.
 */
#pragma once
#include "target.h"
#include "unwind.h"

/* Set by the loader before the program is verified. */
const volatile __u64 target_cgroup; /* id of the container's cgroup */
const volatile __u32 pidns_level;     /* depth of the PID namespace of our own /proc, the first having 0 */
const volatile __u64 pidns_dev;     /* device and inode of that namespace */
const volatile __u64 pidns_ino;
const volatile __u32 wakeup_bytes;  /* user space is woken when this much waits in the ring buffer */

#define TOP_WORDS 8 /* of the stack that go with a sample */

/* What a record in the ring buffer is. */
enum record_kind {
	RECORD_SAMPLE,
	RECORD_LABELS, /* struct label_record */
	RECORD_WAIT_TOTAL, /* struct wait_total_record, of one stack */
	RECORD_UNWALKED_TOTAL,   /* the same, of a group's waits whose stacks were not walked */
};

/* A sample as it goes through the ring buffer, cut after the frames that it has. */
struct sample {
	__u32 kind;             /* enum record_kind */
	__u32 tid;              /* in the kernel's first PID namespace */
	struct process_identity process; /* of the process: identifies it, and the program that it runs */
	struct process_identity parent;  /* from which it was forked, if neither has executed another; else its tgid is 0 */
	__u32 has_labels;         /* the goroutine's labels went before it */
	__u32 pid;              /* of the process, in the PID namespace of our /proc; 0 if unknown */
	__u32 own_pid;          /* of the process, in its own, innermost PID namespace; 0 if unknown */
	__u32 own_tid;          /* of the thread, in that namespace; 0 if unknown */
	__u16 kernel_frames;    /* number of addresses, first in the stack */
	__u16 user_words;      /* number of addresses, after the kernel's */
	__u16 end;              /* enum walk_end: why the stack has no more */
	__u16 has_tables;            /* the process's unwind tables were there, that of the leaf too */
	__u32 state;            /* enum wait_state, of a stack that waits */
	__u32 represents_group;        /* the wait was chosen by chance to stand for others of its group, which have no stack */
	__u64 serial;         /* of a stack that waits: how long is told apart from it; else 0 */
	__u64 group;            /* serial of the first stack at the same place of the thread */
	__u64 period;           /* of a perf event: what happened since the one before, in the event's unit */
	char comm[16];          /* of the thread */
	__u64 time;             /* ns since boot, without the time that the machine slept (CLOCK_MONOTONIC) */
	/* What the leaf function returns to, if it keeps no frame pointer, is among these. */
	__u64 link_register;           /* the link register; 0 on amd64 */
	__u64 top[TOP_WORDS]; /* the words at the stack pointer; 0 if they cannot be read */
	__u64 stack[MAX_KERNEL_FRAMES + MAX_USER_WORDS]; /* leaf first; enum address_mark in the user's */
};

/* How long was waited in all with the stack of that serial number, or in that group; it does not come again. */
struct wait_total_record {
	__u32 kind; /* enum record_kind */
	__u32 count;
	__u64 serial;
	__u64 time; /* ns */
};

/* What a task waits for. */
enum wait_state {
	WAIT_UNKNOWN,
	WAIT_RUNNABLE, /* for a CPU */
	WAIT_SLEEPING, /* for an event that a signal may interrupt */
	WAIT_BLOCKED,  /* for one that none may: disks mostly, also locks of the kernel's */
	WAIT_STOPPED,  /* by a signal or a debugger */
};

/* These keep the types in the BTF, for bpf2go -type. */
const enum record_kind *unused_record_kind __attribute__((unused));
const struct label_record *unused_label_record __attribute__((unused));
const struct wait_total_record *unused_wait_total_record __attribute__((unused));
const enum stack_capacity *unused_stack_capacity __attribute__((unused));
const enum wait_state *unused_wait_state __attribute__((unused));
const struct sample *unused_sample __attribute__((unused));
const enum walk_end *unused_end __attribute__((unused));
const enum address_mark *unused_mark __attribute__((unused));

/* Resized by the loader: 1 to 4 MiB by the number of CPUs, 100 ms of samples at the highest rate. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

/* Samples of one CPU in the current second, where not all are taken: see cpu.bpf.c. */
struct rate_window {
	__u64 begin;
	__u32 taken;
	__u32 group;  /* of so many one is taken */
	__u32 left;   /* of them */
	__u32 chosen; /* the one after which so many are left */
};

struct scratch {
	struct rate_window rate_window;
	struct walk walk;
	struct sample sample;
	struct label_record labels;
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

/* Sets a task's numbers in the PID namespace of our /proc and in its own, innermost one. */
static __always_inline void set_pids(struct sample *s, struct task_struct *task, int is_current)
{
	struct bpf_pidns_info ns = {};

	s->pid = pidns_level == 0 ? s->process.tgid : 0;
	s->own_pid = s->own_tid = 0;
	if (may_read_kernel) {
		struct task_struct *leader = BPF_CORE_READ(task, group_leader);
		__u32 level = BPF_CORE_READ(task, thread_pid, level);

		if (pidns_level != 0)
			s->pid = pid_at_level(leader, pidns_level);
		s->own_pid = pid_at_level(leader, level);
		s->own_tid = pid_at_level(task, level);
		return;
	}
	/* Under lockdown they are known of the current task, where its namespace is ours too; else they stay 0. */
	if (!is_current || bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &ns, sizeof(ns)))
		return;
	if (pidns_level != 0)
		s->pid = ns.tgid;
	s->own_pid = ns.tgid;
	s->own_tid = ns.pid;
}

/* The program that unwinds calls itself, so that the verifier has a bounded number of frames to look
 * at: 32 calls (MAX_TAIL_CALL_CNT) of 32 frames. */
#define FRAMES_A_CALL 32

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} programs_by_index SEC(".maps");

static __always_inline void start_walk(struct walk *w, struct sample *s)
{
	struct unwind_process *p = bpf_map_lookup_elem(&unwind_processes, &s->process.tgid);

	if (p && (p->started != s->process.started || p->execs != s->process.execs))
		p = 0;
	if (!p && s->parent.execs == s->process.execs) {
		/* Forked since: it has what its parent had mapped. */
		p = bpf_map_lookup_elem(&unwind_processes, &s->parent.tgid);
		if (p && (p->started != s->parent.started || p->execs != s->parent.execs))
			p = 0;
	}
	w->has_tables = p != 0;
	w->goroutine = 0;
	if (p && p->go.m_curg) {
		w->go = p->go;
		w->goroutine = find_goroutine(&w->regs, &w->go);
	}
	w->first_range = p ? p->first_range : 0;
	w->ranges = p ? p->range_count : 0;
	w->range.start = w->range.end = 0;
	w->pc = w->regs.pc;
	w->sp = w->regs.r[REG_SP];
	w->fp = w->regs.r[REG_FP];
	w->mark = 0;
	w->exact = 1;
	w->frames = w->descents = 0;
	w->end = END_NONE;
	w->window_bytes = 0;
	w->copy_offset = 0;
}

static __always_inline void submit_sample(struct scratch *memory)
{
	struct sample *s = &memory->sample;
	__u32 kernel_frames = s->kernel_frames & (MAX_KERNEL_FRAMES - 1), user_words = memory->walk.frames;
	__u32 zero = 0;

	s->user_words = user_words;
	s->end = memory->walk.end;
	s->has_tables = memory->walk.has_tables;
	__u64 size = __builtin_offsetof(struct sample, stack) + (kernel_frames + user_words) * sizeof(__u64);
	if (size > sizeof(*s)) /* never; tells the verifier */
		return;
	/* A process whose mappings are not known yet is to be read before it ends. */
	__u64 waiting = bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA);
	__u64 flags = waiting >= wakeup_bytes || !s->has_tables ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_output(&samples, s, size, flags)) {
		__u64 *count = bpf_map_lookup_elem(&lost, &zero);
		if (count)
			*count += 1; /* our own CPU's; a perf event does not interrupt another */
	}
}

static __always_inline void submit_labels(struct scratch *memory)
{
	struct label_record *l = &memory->labels;

	read_labels(l, memory->walk.goroutine, &memory->walk.go);
	__u32 count = l->count;
	if ((!count && !l->incomplete) || count > MAX_LABELS)
		return;
	l->kind = RECORD_LABELS;
	l->tid = memory->sample.tid;
	l->pid = memory->sample.pid;
	__u64 size = __builtin_offsetof(struct label_record, label) + count * sizeof(struct label);
	memory->sample.has_labels = !bpf_ringbuf_output(&samples, l, size, BPF_RB_NO_WAKEUP);
}

/* Says whose a sample is, but for the task's own numbers and name. */
static __always_inline void init_sample(struct sample *s, struct task_struct *task, int typed, __u64 now)
{
	s->kind = RECORD_SAMPLE;
	s->has_labels = 0;
	s->state = WAIT_UNKNOWN;
	s->serial = s->group = s->period = 0;
	s->time = now;
	s->link_register = 0;
	read_identities(task, typed, &s->process, &s->parent);
}

/* Takes the kernel's half of the current task's stack and walks the user's, if there is one. */
static __always_inline void capture_stack(void *ctx, struct scratch *memory, int has_user_stack)
{
	struct sample *s = &memory->sample;
	struct walk *walk = &memory->walk;
	long bytes = bpf_get_stack(ctx, s->stack, (MAX_KERNEL_FRAMES - 1) * sizeof(__u64), 0);
	__u32 kernel_frames = bytes > 0 ? (__u32)bytes / sizeof(__u64) : 0;

	s->kernel_frames = kernel_frames & (MAX_KERNEL_FRAMES - 1);
	if (!has_user_stack) { /* a thread of the kernel's */
		walk->frames = 0;
		walk->end = END_ROOT;
		walk->has_tables = 1;
		submit_sample(memory);
		return;
	}
#if defined(__TARGET_ARCH_arm64)
	s->link_register = walk->regs.r[REG_LR];
#endif
	if (bpf_probe_read_user(s->top, sizeof(s->top), (void *)walk->regs.r[REG_SP]))
		__builtin_memset(s->top, 0, sizeof(s->top));
	start_walk(walk, s);
	if (walk->goroutine)
		submit_labels(memory);
	bpf_tail_call(ctx, &programs_by_index, 0);
	/* not reached: the loader puts the program with unwind_frames there */
}

/* Unwinds some frames and calls itself for more. */
static __always_inline int unwind_frames(void *ctx)
{
	__u32 zero = 0;
	struct scratch *memory = bpf_map_lookup_elem(&scratch, &zero);

	if (!memory)
		return 0;
	__u64 *stack = &memory->sample.stack[memory->sample.kernel_frames & (MAX_KERNEL_FRAMES - 1)];

	for (int i = 0; i < FRAMES_A_CALL; i++)
		if (walk_frame(&memory->walk, stack)) {
			submit_sample(memory);
			return 0;
		}
	bpf_tail_call(ctx, &programs_by_index, 0);
	/* No more calls are allowed. */
	memory->walk.end = END_TRUNCATED;
	submit_sample(memory);
	return 0;
}
