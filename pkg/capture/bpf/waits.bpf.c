//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How long the target's threads wait, and where. `switched` runs at every switch of a CPU from one task to another. The
 * stack is that of the switch out, which is still the same at the switch in. A thread that waits at the same place
 * again and again has its stack walked once in a while, and its waits are summed up here: switches come a hundred
 * thousand times a second, and walking a stack costs as much as a switch does.
 */
#include "threads.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A stack is walked anew after a random time of 1 ms on average, so that paths that look the same from their
 * registers have their share. */
#define WALK_AGAIN_MASK ((1 << 21) - 1) /* ns */
/* Stacks walked on a CPU: in the long run one per WALK_EVERY ns (2,000 a second cost under 1 % of it), and a burst
 * of as many. The lower half of the burst is kept for waits at places that are new. */
#define WALK_EVERY 500000
#define WALK_BURST 2000

/* As in_target_typed, but remembers: most switches are between others, and a cgroup stays where it is. */
static __always_inline int is_of_target(struct account *a, struct task_struct *task)
{
	__u64 id = cgroup_of_typed(task)->kn->id, *outside = &a->outside[id & (OUTSIDE - 1)];

	if (*outside == id)
		return 0;
	if (in_target_typed(task, target_cgroup))
		return 1;
	*outside = id;
	return 0;
}

static __always_inline __u64 new_serial(struct account *a)
{
	return ++a->serial << 16 | (__u16)bpf_get_smp_processor_id();
}

/* Tells what was waited at a place that will be another's. */
static __always_inline void tell(struct account *a, struct place *p)
{
	struct waited_record r = {.kind = RECORD_WAITED, .count = p->count, .serial = p->serial, .time = p->time};

	if (!p->count || (p->serial && !bpf_ringbuf_output(&samples, &r, sizeof(r), BPF_RB_NO_WAKEUP)))
		return;
	a->lost_waits += p->count;
	a->lost_time += p->time;
}

static __always_inline struct thread *new_thread(struct account *a, __u32 tid)
{
	__u32 zero = 0;
	struct thread *none = bpf_map_lookup_elem(&no_thread, &zero);

	if (!none || bpf_map_update_elem(&threads, &tid, none, BPF_NOEXIST)) {
		a->no_room += 1;
		return 0;
	}
	return bpf_map_lookup_elem(&threads, &tid);
}

/* Says whose a stack is, of the current task. */
static __always_inline void identify_wait(struct sample *s, struct task_struct *task, struct place *p, __u64 now)
{
	identify(s, task, 1, now);
	s->tid = task->pid;
	bpf_get_current_comm(s->comm, sizeof(s->comm));
	numbers(s, task, 1);
	s->serial = p->serial;
	s->state = p->state;
}

/* Gives a place of the current task that has no stack a record that says so. */
static __always_inline void name_without_stack(struct scratch *memory, struct account *a, struct place *p, struct task_struct *task,
					       __u32 state, __u64 now)
{
	struct sample *s = &memory->sample;

	if (p->serial)
		return;
	p->serial = new_serial(a);
	p->state = state;
	identify_wait(s, task, p, now);
	if (!s->pid && may_read_kernel) { /* a task that ends has none any more */
		p->serial = 0;
		return;
	}
	s->kernel_frames = 0;
	__builtin_memset(s->top, 0, sizeof(s->top));
	memory->walk.frames = 0;
	memory->walk.end = END_NOT_TAKEN;
	memory->walk.known = 1;
	submit(memory);
}

/* The task goes on. */
static __always_inline void came(struct account *a, struct task_struct *task, __u64 now, __u64 begin)
{
	__u32 tid = task->pid;
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);

	if (t) {
		struct place *p = place_at(t, t->at);

		if (t->since && now > t->since) {
			p->time += now - t->since;
			p->count += 1;
		}
		t->since = 0;
		return;
	}
	if (!is_of_target(a, task))
		return;
	t = new_thread(a, tid);
	if (!t)
		return;
	t->execs = task->self_exec_id;
	__u64 started = task->start_time;
	struct place *p = place_at(t, started >= begin ? PLACE_NOT_RUN : PLACE_NOT_TAKEN);
	if (started < begin)
		started = begin;
	if (now > started) {
		p->time = now - started;
		p->count = 1;
	}
}

/* Whether the CPU may spend time on a stack now, leaving as many walks to others. */
static __always_inline int may_walk(struct account *a, __u64 now, __u32 reserve)
{
	__u64 earned = (now - a->walks_until) / WALK_EVERY;

	if (earned) {
		a->walks_until += earned * WALK_EVERY;
		earned += a->walks;
		a->walks = earned < WALK_BURST ? earned : WALK_BURST;
	}
	if (a->walks <= reserve)
		return 0;
	a->walks -= 1;
	return 1;
}

static __always_inline int same_place(struct thread *t, struct place *p, struct user_registers *regs, __u32 state, __u32 execs)
{
	return p->serial && p->pc == regs->pc && p->sp == regs->r[REG_SP] && p->fp == regs->r[REG_FP] && p->state == state && t->execs == execs;
}

/* The current task gives up its CPU. */
static __always_inline void went(void *ctx, struct scratch *memory, struct account *a, struct task_struct *task, int preempted, __u64 now)
{
	struct user_registers *regs = &memory->walk.regs;
	struct sample *s = &memory->sample;
	__u32 tid = task->pid, bits = state_of(task), state, execs = task->self_exec_id, at = PLACE_PREEMPTED;
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);

	if (!t) {
		if (bits & TASK_DEAD || !is_of_target(a, task))
			return;
		t = new_thread(a, tid);
		if (!t)
			return;
		t->execs = execs;
	}
	if (bits & TASK_DEAD) {
		if (t->place[PLACE_NOT_RUN].count)
			name_without_stack(memory, a, &t->place[PLACE_NOT_RUN], task, WAIT_RUNNABLE, now);
		for (int i = 0; i < PLACES; i++)
			tell(a, &t->place[i]);
		bpf_map_delete_elem(&threads, &tid);
		return;
	}
	if (t->place[PLACE_NOT_RUN].count)
		name_without_stack(memory, a, &t->place[PLACE_NOT_RUN], task, WAIT_RUNNABLE, now);
	if (t->place[PLACE_NOT_TAKEN].count)
		name_without_stack(memory, a, &t->place[PLACE_NOT_TAKEN], task, WAIT_UNKNOWN, now);
	state = preempted ? WAIT_RUNNABLE : wait_state(bits);
	int has_user_half = saved_registers(task, regs);
	if (!has_user_half)
		__builtin_memset(regs, 0, sizeof(*regs));
	if (state != WAIT_RUNNABLE)
		at = PLACE_WAITS + (__u32)((regs->pc >> 2) + (regs->r[REG_SP] >> 4)) % WAITS;
	struct place *p = place_at(t, at);

	int known = same_place(t, p, regs, state, execs);
	if (known && (now < p->walk_again || !may_walk(a, now, WALK_BURST / 2))) {
		t->at = at;
		t->since = now;
		return;
	}
	/* A thread's first waits are always worth it. */
	if (!known && p->serial && !may_walk(a, now, state == WAIT_RUNNABLE ? WALK_BURST / 2 : 0)) {
		t->at = state == WAIT_RUNNABLE ? PLACE_NOT_RUN : PLACE_NOT_TAKEN;
		t->since = now;
		if (state == WAIT_RUNNABLE)
			name_without_stack(memory, a, &t->place[PLACE_NOT_RUN], task, WAIT_RUNNABLE, now);
		else
			name_without_stack(memory, a, &t->place[PLACE_NOT_TAKEN], task, WAIT_UNKNOWN, now);
		return;
	}
	tell(a, p);
	p->pc = regs->pc;
	p->sp = regs->r[REG_SP];
	p->fp = regs->r[REG_FP];
	p->serial = new_serial(a);
	p->time = p->count = 0;
	p->walk_again = now + (bpf_get_prandom_u32() & WALK_AGAIN_MASK);
	p->state = state;
	t->execs = execs;
	t->at = at;
	t->since = now;
	identify_wait(s, task, p, now);
	begin_stack(ctx, memory, has_user_half);
}

/* Our own thread has copied the stack of one that sleeps. */
static __always_inline void stand_in(void *ctx, struct scratch *memory, struct stand_in *other, __u64 now)
{
	struct sample *s = &memory->sample;
	struct walk *w = &memory->walk;

	s->kind = RECORD_SAMPLE;
	s->labelled = 0;
	s->state = WAIT_UNKNOWN;
	s->serial = other->serial;
	s->period = 0;
	s->time = now;
	s->link = 0;
	s->tid = other->tid;
	s->kernel_frames = 0;
	s->program = other->program;
	s->parent.tgid = s->parent.execs = 0;
	s->parent.started = 0;
	w->regs = other->regs;
	begin(w, s);
	other->tid = 0; /* once only */
	w->goroutine = 0;
	w->moved_low = other->low;
	w->moved_high = other->high;
	w->moved = other->moved;
	bpf_tail_call(ctx, &programs_by_index, 0);
}

SEC("tp_btf/sched_switch")
int switched(__u64 *ctx)
{
	int preempted = ctx[0] & 1;
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	__u32 zero = 0;
	struct control *c = bpf_map_lookup_elem(&controls, &zero);
	struct scratch *memory = bpf_map_lookup_elem(&scratch, &zero);
	struct account *a = bpf_map_lookup_elem(&accounts, &zero);

	if (!c || !memory || !a || !c->begin || c->end)
		return 0;
	__u64 now = bpf_ktime_get_ns();
	if (next->pid)
		came(a, next, now, c->begin);
	if (!prev->pid)
		return 0;
	if (c->stand_in.tid == prev->pid) {
		stand_in(ctx, memory, &c->stand_in, now);
		return 0;
	}
	went(ctx, memory, a, prev, preempted, now);
	return 0;
}

SEC("tp_btf/sched_switch")
int unwind(__u64 *ctx)
{
	return unwind_frames(ctx);
}

/* A thread that does not run, as the list of them tells it. */
struct sleeper {
	__u32 reader; /* number of the thread that reads the list, in the kernel's first PID namespace */
	__u32 pad;
	struct user_registers regs;
	struct sample sample; /* cut after the kernel's half of its stack */
};

#define SLEEPER_BYTES (__builtin_offsetof(struct sleeper, sample) + __builtin_offsetof(struct sample, stack) + (MAX_KERNEL_FRAMES - 1) * sizeof(__u64))

const struct sleeper *unused_sleeper __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sleeper);
} sleepers SEC(".maps");

SEC("iter/task")
int list_sleepers(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u32 zero = 0;
	struct sleeper *r = bpf_map_lookup_elem(&sleepers, &zero);

	if (!task || !r || !in_target_typed(task, target_cgroup))
		return 0;
	__u32 state = wait_state(state_of(task));
	if (state == WAIT_RUNNABLE || !saved_registers(task, &r->regs))
		return 0;
	struct sample *s = &r->sample;
	identify(s, task, 1, bpf_ktime_get_ns());
	s->tid = task->pid;
#pragma clang loop unroll(full)
	for (int i = 0; i < sizeof(s->comm); i++)
		s->comm[i] = task->comm[i];
	numbers(s, task, 0);
	s->state = state;
	s->user_frames = 0;
	s->end = END_UNREADABLE;
	s->known = 1;
	long bytes = bpf_get_task_stack(task, s->stack, (MAX_KERNEL_FRAMES - 1) * sizeof(__u64), 0);
	s->kernel_frames = bytes > 0 ? bytes / sizeof(__u64) : 0;
	r->reader = bpf_get_current_pid_tgid();
	bpf_seq_write(ctx->meta->seq, r, SLEEPER_BYTES);
	return 0;
}
