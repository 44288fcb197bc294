/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The maps of waits.bpf.c: the target's threads, the places where they wait, and the time they waited there.
 */
#pragma once
#include "sample.h"

/* The lowest bits of a serial are the number of the CPU that issued it. No CPU has the number of all ones: user space
 * issues those serials. */
enum serial_layout {
	SERIAL_CPU_BITS = 16,
};

const enum serial_layout *unused_serial_layout __attribute__((unused));

/* A place where a thread waits, identified by pc, sp and state. The frame pointer is not part of the identity:
 * code that keeps none uses the register for other values. */
struct place {
	__u64 pc, sp;         /* of user mode */
	__u64 group;          /* serial of the first stack walked here */
	__u64 serial;         /* of the last stack walked here; 0: the place is unused */
	__u64 time;           /* waited with that stack, ns, without a wait that has not ended */
	__u64 unwalked_time;  /* waited by the group without a walk, ns */
	__u64 walked_at;      /* time of the last walk not drawn at random, CLOCK_MONOTONIC, ns */
	__u32 count;          /* waits in time */
	__u32 unwalked_count; /* waits in unwalked_time */
	__u32 state;          /* enum wait_state */
	__u32 waits;          /* of the group, the first excluded */
};

/* Indexes of a thread's places. */
enum place_kind {
	PLACE_UNWALKED_RUNNABLE, /* waits for a CPU without a stack: before the first run, or the budget was spent */
	PLACE_UNWALKED_WAIT,     /* other waits without a stack */
	PLACE_RUNNABLE,          /* waits for a CPU after preemption, wherever it was last */
	PLACE_FIRST_WAIT,        /* the first of WAIT_PLACES for other waits, chosen by a hash of pc and sp */
};
#define WAIT_PLACES 3
#define PLACES (PLACE_FIRST_WAIT + WAIT_PLACES)

/* A thread. Only the CPU that switches from or to it changes its entry, so there are no concurrent writers. */
struct thread {
	__u64 waiting_since; /* CLOCK_MONOTONIC, ns; 0: it runs */
	__u32 execs;         /* of its process: execve invalidates all places */
	__u32 current_place; /* index into places */
	__u32 walked;        /* the stack of the current wait was walked */
	__u32 pad;
	struct place places[PLACES];
};

const struct thread *unused_thread __attribute__((unused));
const enum place_kind *unused_place_kind __attribute__((unused));

static __always_inline struct place *place_at(struct thread *t, __u32 at)
{
	asm volatile("" : "+r"(at)); /* README.md, "Bounds next to their use" */
	if (at >= PLACES)
		at = 0;
	return &t->places[at];
}

/* Key: the thread's TID in the initial PID namespace. The loader sets the size to four times the number of the
 * target's threads, 2,048 to 32,768. Preallocated: nothing may be allocated during a context switch. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

/* A copy of the stack of a thread that has slept since before the capture began and so never runs the program.
 * A thread of the profiler holds the copy; when that thread is switched out, the copy is walked instead of its
 * own stack. */
struct stack_copy {
	__u32 tid; /* of the profiler's thread; 0: no copy */
	__u32 pad;
	__u64 serial;    /* of the sample to send */
	__u64 low, high; /* original addresses of the stack */
	__u64 offset;    /* address of the copy minus low */
	struct process_identity process; /* of the sleeper */
	struct user_registers regs;      /* of the sleeper */
};

/* Written by user space only. */
struct control {
	__u64 begin, end; /* of the capture, CLOCK_MONOTONIC, ns; 0: not yet */
	struct stack_copy stack_copy;
};

const struct control *unused_control __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} controls SEC(".maps");

/* Limits a rate of walks (token bucket). */
struct token_bucket {
	__u64 granted_until; /* tokens were granted up to this time, CLOCK_MONOTONIC, ns */
	__u64 tokens;        /* walks allowed now */
};

/* State of one CPU. */
struct cpu_state {
	__u64 last_serial;        /* the last serial number issued, without the CPU's number */
	__u64 untracked_switches; /* switches of threads for which the map of threads was full */
	__u64 lost_time;          /* of waits whose record did not fit into the ring buffer, ns */
	__u64 lost_waits;
	struct token_bucket new_walks, repeat_walks, preempted_walks;
	__u64 other_cgroups[OTHER_CGROUPS]; /* see in_target_cached */
};

const struct cpu_state *unused_cpu_state __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

/* The initial value of an entry of threads, which does not fit on a program's stack of 512 bytes. Always zero. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread);
} empty_thread SEC(".maps");

/* include/linux/sched.h. Unchanged since 4.14, except TASK_FROZEN, which is of 6.1. */
#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_STOPPED_OR_TRACED 0x000c
#define TASK_DEAD 0x0080
#define TASK_NOLOAD 0x0400
#define TASK_FROZEN 0x8000

struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

static __always_inline __u32 task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return ((struct task_struct___before_5_14 *)task)->state;
}

static __always_inline enum wait_state wait_state(__u32 state)
{
	if (!state)
		return WAIT_RUNNABLE;
	if (state & (TASK_STOPPED_OR_TRACED | TASK_FROZEN))
		return WAIT_STOPPED;
	return (state & (TASK_UNINTERRUPTIBLE | TASK_NOLOAD)) == TASK_UNINTERRUPTIBLE ? WAIT_BLOCKED : WAIT_SLEEPING;
}
