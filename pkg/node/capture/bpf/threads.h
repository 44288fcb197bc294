/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is known of threads and of what they wait for: the maps of waits.bpf.c.
 */
#pragma once
#include "sample.h"

/* Where a thread waits, told from other places by registers of user mode. The frame pointer is none of them: in code
 * that keeps none it is anything. */
struct place {
	__u64 pc, sp;
	__u64 group;      /* serial of the first stack here */
	__u64 serial;     /* of the last stack that was walked here; 0: nothing is here yet */
	__u64 time;       /* waited with that stack, ns, without the wait that goes on */
	__u64 unwalked_time;  /* waited without a walk since the group began */
	__u64 walked_at;  /* the last walk that was not by chance, CLOCK_MONOTONIC */
	__u32 count;      /* of waits that are over */
	__u32 unwalked_count;
	__u32 state;      /* enum wait_state */
	__u32 waits;      /* of the group */
};

enum place_kind {
	PLACE_UNWALKED_RUNNABLE,   /* for a CPU, without a stack: it has not run yet, or there was no time to walk it */
	PLACE_UNWALKED_WAIT, /* for something else, likewise */
	PLACE_RUNNABLE, /* anywhere: for a CPU */
	PLACE_FIRST_WAIT,     /* the first of WAIT_PLACES for all else */
};
#define WAIT_PLACES 3
#define PLACES (PLACE_FIRST_WAIT + WAIT_PLACES)

/* Only the CPUs that switch from and to it change it, one after the other. */
struct thread {
	__u64 waiting_since; /* it waits, CLOCK_MONOTONIC; 0: it runs */
	__u32 execs; /* of its program: after execve no place is the same */
	__u32 current_place;/* place */
	__u32 walked; /* the stack was walked for this wait */
	__u32 pad;
	struct place places[PLACES];
};

const struct thread *unused_thread __attribute__((unused));
const enum place_kind *unused_place_kind __attribute__((unused));

static __always_inline struct place *place_at(struct thread *t, __u32 at)
{
	asm volatile("" : "+r"(at)); /* the bound where it is used, for the verifier */
	if (at >= PLACES)
		at = 0;
	return &t->places[at];
}

/* By the thread's number in the kernel's first PID namespace. The loader gives it room for four times the threads
 * that there are. Allocated beforehand: nothing may be allocated while a CPU switches. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

/* A thread that sleeps since before the capture began never switches to us. Its stack is walked in its place by our
 * own thread of that number, which has a copy of its stack at other addresses, when that gives up the CPU. */
struct stack_copy {
	__u32 tid; /* 0: none */
	__u32 pad;
	__u64 serial;
	__u64 low, high; /* addresses of the stack that was copied */
	__u64 offset;    /* from there to the copy */
	struct process_identity process;
	struct user_registers regs;
};

/* Written by user space. */
struct control {
	__u64 begin, end; /* of the capture, CLOCK_MONOTONIC; 0 if not yet */
	struct stack_copy stack_copy;
};

const struct control *unused_control __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} controls SEC(".maps");

#define OTHER_CGROUPS 16 /* a power of two */

/* Of stacks to walk, so many in a time. */
struct token_bucket {
	__u64 granted_until; /* granted up to this time */
	__u64 tokens;  /* of what was granted */
};

/* Of one CPU. */
struct cpu_state {
	__u64 last_serial;  /* last one given */
	__u64 untracked_switches;      /* switches of threads that found no room in the map of threads */
	__u64 lost_time;    /* of waits that found no room in the ring buffer, ns */
	__u64 lost_waits;
	struct token_bucket new_walks, repeat_walks, preempted_walks;
	__u64 other_cgroups[OTHER_CGROUPS]; /* ids of cgroups that are not the target's, in the place that their low bits tell */
};

const struct cpu_state *unused_cpu_state __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

/* For a new entry of the map of threads, which does not fit on a program's stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread);
} empty_thread SEC(".maps");

/* include/linux/sched.h; equal since 4.14 but for the highest, which is newer. */
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
