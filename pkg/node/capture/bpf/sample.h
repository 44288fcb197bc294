/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sampling shared by all profilers. The entry program fills in struct sample: the process, the kernel
 * stack and the user registers. A tail-called program then walks the user stack (unwind.h) and sends the
 * sample to user space through a ring buffer. README.md documents the records.
 */
#pragma once
#include "target.h"
#include "unwind.h"

/* Set by the loader before the program is verified. */
const volatile __u64 target_cgroup; /* id of the container's cgroup */
const volatile __u32 pidns_level;   /* depth of the profiler's PID namespace; the initial one has 0 */
const volatile __u64 pidns_dev;     /* device and inode of that namespace */
const volatile __u64 pidns_ino;
const volatile __u32 wakeup_bytes;  /* unread bytes in the ring buffer at which user space is woken */

#define TOP_WORDS 8 /* stack words copied into each sample */

/* The kind of a record in the ring buffer: its first word. README.md has the format. */
enum record_kind {
	RECORD_SAMPLE,         /* struct sample */
	RECORD_LABELS,         /* struct label_record, sent before its sample */
	RECORD_WAIT_TOTAL,     /* struct wait_total_record of one stack */
	RECORD_UNWALKED_TOTAL, /* struct wait_total_record of a group's waits whose stacks were not walked */
};

/* The labels of a sample's goroutine. */
enum label_state {
	LABELS_NONE,
	LABELS_SENT, /* a RECORD_LABELS of this thread precedes the sample */
	LABELS_LOST, /* the ring buffer had no room for the RECORD_LABELS */
};

/* A sample. The record in the ring buffer ends after the last word used of stack. */
struct sample {
	__u32 kind;                      /* RECORD_SAMPLE */
	__u32 tid;                       /* in the initial PID namespace */
	struct process_identity process;
	struct process_identity parent;  /* tgid 0: the mappings are not the parent's (see read_identities) */
	__u32 labels;                    /* enum label_state */
	__u32 pid;                       /* of the process in the profiler's PID namespace; 0: unknown */
	__u32 own_pid;                   /* of the process in its innermost PID namespace; 0: unknown */
	__u32 own_tid;                   /* of the thread in that namespace; 0: unknown */
	__u16 kernel_frames;             /* words at the start of stack: kernel addresses */
	__u16 user_words;                /* words of the user stack, after the kernel's */
	__u16 end;                       /* enum walk_end */
	__u16 has_tables;                /* 0: the process, or the leaf's mapping, is not in unwind_processes yet */
	__u32 state;                     /* enum wait_state of a wait */
	__u32 represents_group;          /* of a wait: drawn at random to represent its group's unwalked waits */
	__u64 serial;                    /* of a wait: key of its totals; 0: not a wait */
	__u64 group;                     /* of a wait: serial of the first stack walked at its place */
	__u64 period;                    /* of a perf event: what the sample stands for, in the event's unit */
	char comm[16];                   /* name of the thread */
	__u64 time;                      /* CLOCK_MONOTONIC, ns */
	/* A leaf without a frame pointer has its return address in one of these. */
	__u64 link_register;             /* 0 on amd64 */
	__u64 top[TOP_WORDS];            /* words at the stack pointer; 0: unreadable */
	__u64 stack[MAX_KERNEL_FRAMES + MAX_USER_WORDS]; /* leaf first; the user's carry enum address_mark */
};

/* The final total of the waits of one stack (serial), or of a group's unwalked waits (serial is the group's). */
struct wait_total_record {
	__u32 kind; /* enum record_kind */
	__u32 count; /* waits */
	__u64 serial;
	__u64 time;  /* ns */
};

/* Why a task does not run. */
enum wait_state {
	WAIT_UNKNOWN,
	WAIT_RUNNABLE, /* it waits for a CPU */
	WAIT_SLEEPING, /* it waits for an event; a signal interrupts the wait */
	WAIT_BLOCKED,  /* it waits for an event uninterruptibly: a disk, mostly, or a lock in the kernel */
	WAIT_STOPPED,  /* a signal or a debugger stopped it */
};

/* These keep the types in BTF for bpf2go -type. */
const enum record_kind *unused_record_kind __attribute__((unused));
const enum label_state *unused_label_state __attribute__((unused));
const struct label_record *unused_label_record __attribute__((unused));
const struct wait_total_record *unused_wait_total_record __attribute__((unused));
const enum stack_capacity *unused_stack_capacity __attribute__((unused));
const enum wait_state *unused_wait_state __attribute__((unused));
const struct sample *unused_sample __attribute__((unused));
const enum walk_end *unused_end __attribute__((unused));
const enum address_mark *unused_mark __attribute__((unused));

/* The loader resizes it to 1 to 4 MiB: 80 KiB per CPU, see README.md, "Maps". */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

/* One CPU's samples in the current second, where only some are taken: see cpu.bpf.c. */
struct rate_window {
	__u64 begin;  /* CLOCK_MONOTONIC, ns */
	__u32 taken;  /* samples taken since */
	__u32 group;  /* one of this many events becomes a sample */
	__u32 left;   /* events of the group still to come */
	__u32 chosen; /* the value of left at which the sample is taken */
};

#define OTHER_CGROUPS 16 /* a power of two */

struct scratch {
	__u64 other_cgroups[OTHER_CGROUPS]; /* see in_target_cached */
	struct rate_window rate_window;
	struct walk walk;
	struct sample sample;
	struct label_record labels;
};

/* One entry per CPU: its 19 KB do not fit on a BPF program's stack of 512 bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* Samples dropped because the ring buffer was full, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

/* Like in_target_typed, with a cache of ids of cgroups outside the target, indexed by their low bits: most events and
 * switches are of other tasks, and a cgroup never moves in the tree. */
static __always_inline int in_target_cached(__u64 *others, struct task_struct *task)
{
	__u64 id = typed_cgroup(task)->kn->id, *cached = &others[id & (OTHER_CGROUPS - 1)];

	if (*cached == id)
		return 0;
	if (in_target_typed(task, target_cgroup))
		return 1;
	*cached = id;
	return 0;
}

/* Copies the name of the current task. */
static __always_inline void read_comm(char comm[16], struct task_struct *task)
{
	if (has_typed_task()) { /* two loads are faster than the helper */
		((__u64 *)comm)[0] = ((__u64 *)task->comm)[0];
		((__u64 *)comm)[1] = ((__u64 *)task->comm)[1];
	} else {
		bpf_get_current_comm(comm, 16);
	}
}

/* Sets the task's PIDs in the profiler's PID namespace and in its innermost one. */
static __always_inline void set_pids(struct sample *s, struct task_struct *task, int is_current)
{
	struct bpf_pidns_info ns = {};

	s->pid = pidns_level == 0 ? s->process.tgid : 0;
	s->own_pid = s->own_tid = 0;
	if (may_read_kernel) {
		struct task_pids own = read_pids(task), process = own;

		if (s->process.tgid != s->tid)
			process = read_pids(has_typed_task() ? task->group_leader : BPF_CORE_READ(task, group_leader));
		s->own_tid = pid_at_level(&own, own.level);
		s->own_pid = s->process.tgid != s->tid ? pid_at_level(&process, own.level) : s->own_tid;
		if (pidns_level != 0)
			s->pid = pidns_level == own.level ? s->own_pid : pid_at_level(&process, pidns_level);
		return;
	}
	/* Under lockdown only the current task's are readable, and only if it shares our namespace; else they stay 0. */
	if (!is_current || bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &ns, sizeof(ns)))
		return;
	if (pidns_level != 0)
		s->pid = ns.tgid;
	s->own_pid = ns.tgid;
	s->own_tid = ns.pid;
}

/* The unwinder tail-calls itself: 32 frames per call, at most 32 calls (README.md, "Tail calls"). */
#define FRAMES_PER_CALL 32

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} programs_by_index SEC(".maps");

/* Sets w->process to the process's entry of unwind_processes, or to zero if it has none. */
static __always_inline void find_process(struct walk *w, struct sample *s)
{
	__u32 *changes = element(&unwind_changes, 0);
	struct unwind_process *p;

	if (!changes)
		return;
	if (w->walked.tgid == s->process.tgid && w->walked.started == s->process.started &&
	    w->walked.execs == s->process.execs && w->changes == *changes)
		return; /* it was found for the last walk */
	w->walked = s->process;
	w->changes = *changes;
	p = bpf_map_lookup_elem(&unwind_processes, &s->process.tgid);
	if (p && (p->started != s->process.started || p->execs != s->process.execs))
		p = 0;
	if (!p && s->parent.execs == s->process.execs) {
		/* Forked since its parent was read: it has the parent's mappings. */
		p = bpf_map_lookup_elem(&unwind_processes, &s->parent.tgid);
		if (p && (p->started != s->parent.started || p->execs != s->parent.execs))
			p = 0;
	}
	if (p)
		w->process = *p;
	else
		__builtin_memset(&w->process, 0, sizeof(w->process));
}

/* Finds the process's unwind tables and goroutine, and starts the walk at the saved registers. */
static __always_inline void start_walk(struct walk *w, struct sample *s)
{
	find_process(w, s);
	w->has_tables = w->process.span != 0;
	if (w->range_span != w->process.span) {
		w->range_span = w->process.span;
		w->range.start = w->range.end = 0;
	}
	w->goroutine = 0;
	if (w->process.go.m_curg)
		w->goroutine = find_goroutine(&w->regs, &w->process.go);
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

/* Reads the words at the stack pointer, for the sample and as the first window of the walk. */
static __always_inline void read_top(struct walk *w, struct sample *s)
{
	if (!(w->sp & 7) && !bpf_probe_read_user(w->window, FIRST_WINDOW_BYTES, (void *)w->sp)) {
		w->window_start = w->sp;
		w->window_bytes = FIRST_WINDOW_BYTES;
		__builtin_memcpy(s->top, w->window, sizeof(s->top));
	} else if (bpf_probe_read_user(s->top, sizeof(s->top), (void *)w->sp)) {
		__builtin_memset(s->top, 0, sizeof(s->top));
	}
}

/* Sends the sample to user space, or counts it as lost. */
static __always_inline void submit_sample(struct scratch *memory)
{
	struct sample *s = &memory->sample;
	__u32 kernel_frames = s->kernel_frames & (MAX_KERNEL_FRAMES - 1), user_words = memory->walk.frames;
	__u32 zero = 0;

	s->user_words = user_words;
	s->end = memory->walk.end;
	s->has_tables = memory->walk.has_tables;
	__u64 size = __builtin_offsetof(struct sample, stack) + (kernel_frames + user_words) * sizeof(__u64);
	if (size > sizeof(*s)) /* never true; the verifier needs the bound */
		return;
	/* User space must read the mappings of a new process before it exits. */
	__u64 waiting = bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA);
	__u64 flags = waiting >= wakeup_bytes || !s->has_tables ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_output(&samples, s, size, flags)) {
		__u64 *count = bpf_map_lookup_elem(&lost, &zero);
		if (count)
			*count += 1; /* per CPU, and perf events do not nest: no atomic needed */
	}
}

/* Sends the goroutine's labels, if it has any. */
static __always_inline void submit_labels(struct scratch *memory)
{
	struct label_record *l = &memory->labels;

	read_labels(l, memory->walk.goroutine, &memory->walk.process.go);
	__u32 count = l->count;
	if ((!count && !l->incomplete) || count > MAX_LABELS)
		return;
	l->kind = RECORD_LABELS;
	l->tid = memory->sample.tid;
	l->pid = memory->sample.pid;
	__u64 size = __builtin_offsetof(struct label_record, label) + count * sizeof(struct label);
	memory->sample.labels = bpf_ringbuf_output(&samples, l, size, BPF_RB_NO_WAKEUP) ? LABELS_LOST : LABELS_SENT;
}

/* Fills in the process and the time, and clears the fields of waits. The caller sets tid, comm and the PIDs. */
static __always_inline void init_sample(struct sample *s, struct task_struct *task, int typed, __u64 now)
{
	s->kind = RECORD_SAMPLE;
	s->labels = LABELS_NONE;
	s->state = WAIT_UNKNOWN;
	s->serial = s->group = s->period = 0;
	s->time = now;
	s->link_register = 0;
	read_identities(task, typed, &s->process, &s->parent);
}

/* Records the current task's kernel stack, if it is in the kernel, then tail-calls the walk of its user stack, if it
 * has one. */
static __always_inline void capture_stack(void *ctx, struct scratch *memory, int in_kernel, int has_user_stack)
{
	struct sample *s = &memory->sample;
	struct walk *walk = &memory->walk;
	__u32 kernel_frames = 0;

	if (in_kernel) {
		long bytes = bpf_get_stack(ctx, s->stack, (MAX_KERNEL_FRAMES - 1) * sizeof(__u64), 0);

		if (bytes > 0)
			kernel_frames = (__u32)bytes / sizeof(__u64);
	}
	s->kernel_frames = kernel_frames & (MAX_KERNEL_FRAMES - 1);
	if (!has_user_stack) {
		walk->frames = 0;
		walk->end = END_ROOT;
		walk->has_tables = 1;
		submit_sample(memory);
		return;
	}
#if defined(__TARGET_ARCH_arm64)
	s->link_register = walk->regs.r[REG_LR];
#endif
	start_walk(walk, s);
	read_top(walk, s);
	if (walk->goroutine)
		submit_labels(memory);
	bpf_tail_call(ctx, &programs_by_index, 0);
	/* Not reached: the loader has put one of the programs there that walk the user stack. */
}

/* Walks FRAMES_PER_CALL frames, then tail-calls itself for more. */
static __always_inline int unwind_frames(void *ctx)
{
	__u32 zero = 0;
	struct scratch *memory = bpf_map_lookup_elem(&scratch, &zero);

	if (!memory)
		return 0;
	__u64 *stack = &memory->sample.stack[memory->sample.kernel_frames & (MAX_KERNEL_FRAMES - 1)];

	for (__u64 i = 0; i < FRAMES_PER_CALL; i++) {
		if (walk_frame(&memory->walk, stack)) {
			submit_sample(memory);
			return 0;
		}
	}
	bpf_tail_call(ctx, &programs_by_index, 0);
	/* The kernel allows no further tail call. */
	memory->walk.end = END_TRUNCATED;
	submit_sample(memory);
	return 0;
}

struct frame_walk {
	struct walk *walk;
	__u64 *stack;
};

/* Called by bpf_loop, until it returns 1. */
static long walk_next_frame(__u32 index, void *data)
{
	struct frame_walk *f = data;

	return walk_frame(f->walk, f->stack) ? 1 : 0;
}

/* Walks all frames. It needs bpf_loop, which makes verification faster (README.md, "Tail calls"). */
static __always_inline int unwind_frames_in_loop(void)
{
	__u32 zero = 0;
	struct scratch *memory = bpf_map_lookup_elem(&scratch, &zero);

	if (!memory)
		return 0;
	struct frame_walk f = {&memory->walk, &memory->sample.stack[memory->sample.kernel_frames & (MAX_KERNEL_FRAMES - 1)]};

	/* The last call finds that the stack is full. */
	bpf_loop(MAX_USER_WORDS + 1, walk_next_frame, &f, 0);
	submit_sample(memory);
	return 0;
}
