//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Off-CPU and wall-clock profiles: how long the target's threads wait, and where. on_sched_switch runs at every
 * context switch. A thread's stack is walked when it is switched out; it does not change until it runs again.
 * There can be 100,000 switches a second, and a walk costs more than a switch: if a thread returns to the same
 * place, only some of its waits are walked, and all are added up in the map of threads.
 */
#include "threads.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The budget of walks of each CPU, as token buckets: 2,000 a second at new or rare places, 500 at others, 250 of
 * preempted threads. A walk costs 3 to 10 us. */
#define NEW_WALK_INTERVAL_NS 500000
#define NEW_WALK_BURST 1000
#define REPEAT_WALK_INTERVAL_NS 2000000
#define REPEAT_WALK_BURST 250
#define PREEMPTED_WALK_INTERVAL_NS 4000000
#define PREEMPTED_WALK_BURST 100
#define NEW_PLACE_WAITS 4    /* the first waits at a place, which count as new */
#define RARE_WALK_NS 4000000 /* a place is rare if its last walk is at least this long ago */
/* Of the other waits, one in 16 is walked, at random: different call paths may have the same pc and sp. User
 * space distributes the time of unwalked waits over the stacks of those drawn at random, in proportion. */
#define RANDOM_WALK_MASK 15

/* Returns a serial that is unique in the capture. */
static __always_inline __u64 new_serial(struct cpu_state *a)
{
	return ++a->last_serial << SERIAL_CPU_BITS | (__u16)bpf_get_smp_processor_id();
}

/* Sends a total, or counts it as lost. Without a serial user space knows no stack for it. */
static __always_inline void submit_wait_total(struct cpu_state *a, enum record_kind kind, __u64 serial, __u32 count,
					      __u64 time)
{
	struct wait_total_record r = {.kind = kind, .count = count, .serial = serial, .time = time};

	if (!count && (kind != RECORD_UNWALKED_TOTAL || !serial))
		return;
	if (serial && !bpf_ringbuf_output(&samples, &r, sizeof(r), BPF_RB_NO_WAKEUP))
		return;
	a->lost_waits += count;
	a->lost_time += time;
}

/* Sends the totals of a place that is to be reused. RECORD_UNWALKED_TOTAL ends the group, so it is sent even if it
 * is zero. */
static __always_inline void submit_place_totals(struct cpu_state *a, struct place *p)
{
	submit_wait_total(a, RECORD_WAIT_TOTAL, p->serial, p->count, p->time);
	submit_wait_total(a, RECORD_UNWALKED_TOTAL, p->group, p->unwalked_count, p->unwalked_time);
}

/* Adds a thread to the map of threads. Returns null if the map is full. */
static __always_inline struct thread *track_thread(struct cpu_state *a, __u32 tid)
{
	__u32 zero = 0;
	struct thread *none = bpf_map_lookup_elem(&empty_thread, &zero);

	if (!none || bpf_map_update_elem(&threads, &tid, none, BPF_NOEXIST)) {
		a->untracked_switches += 1;
		return 0;
	}
	return bpf_map_lookup_elem(&threads, &tid);
}

/* Fills in a sample of the current task, which waits at the place. */
static __always_inline void init_wait_sample(struct sample *s, struct task_struct *task, struct place *p, __u64 now)
{
	init_sample(s, task, 1, now);
	s->tid = task->pid;
	bpf_get_current_comm(s->comm, sizeof(s->comm));
	set_pids(s, task, 1);
	s->serial = p->serial;
	s->group = p->group;
	s->represents_group = 0;
	s->state = p->state;
}

/* Sends, once per place, a sample without a stack, which gives the place's totals a serial. */
static __always_inline void submit_without_stack(struct scratch *memory, struct cpu_state *a, struct place *p,
						 struct task_struct *task, __u32 state, __u64 now)
{
	struct sample *s = &memory->sample;

	if (p->serial)
		return;
	p->serial = p->group = new_serial(a);
	p->state = state;
	init_wait_sample(s, task, p, now);
	if (!s->pid && may_read_kernel) { /* a task that exits has no PID any more */
		p->serial = p->group = 0;
		return;
	}
	s->kernel_frames = 0;
	__builtin_memset(s->top, 0, sizeof(s->top));
	memory->walk.frames = 0;
	memory->walk.end = END_NOT_WALKED;
	memory->walk.has_tables = 1;
	submit_sample(memory);
}

/* The task is switched in: its wait ends. */
static __always_inline void switch_in(struct cpu_state *a, struct task_struct *task, __u64 now, __u64 begin)
{
	__u32 tid = task->pid;
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);

	if (t) {
		struct place *p = place_at(t, t->current_place);

		if (t->waiting_since && now > t->waiting_since && t->walked) {
			p->time += now - t->waiting_since;
			p->count += 1;
		} else if (t->waiting_since && now > t->waiting_since) {
			p->unwalked_time += now - t->waiting_since;
			p->unwalked_count += 1;
		}
		t->waiting_since = 0;
		return;
	}
	if (!in_target_cached(a->other_cgroups, task))
		return;
	t = track_thread(a, tid);
	if (!t)
		return;
	t->execs = task->self_exec_id;
	__u64 started = task->start_time;
	struct place *p = place_at(t, started >= begin ? PLACE_UNWALKED_RUNNABLE : PLACE_UNWALKED_WAIT);
	if (started < begin)
		started = begin;
	if (now > started) {
		p->time = now - started;
		p->count = 1;
	}
}

/* Reports whether a walk is allowed now, leaving `reserve` tokens to others, and takes a token if so. */
static __always_inline int take_token(struct token_bucket *g, __u64 every, __u64 burst, __u64 now, __u64 reserve)
{
	__u64 earned = (now - g->granted_until) / every;

	if (earned) {
		g->granted_until += earned * every;
		earned += g->tokens;
		g->tokens = earned < burst ? earned : burst;
	}
	if (g->tokens <= reserve)
		return 0;
	g->tokens -= 1;
	return 1;
}

/* Reports whether the thread now waits at the place that p holds already. */
static __always_inline int same_place(struct thread *t, struct place *p, struct user_registers *regs, __u32 state,
				      __u32 execs)
{
	return p->serial && p->pc == regs->pc && p->sp == regs->r[REG_SP] && p->state == state && t->execs == execs;
}

/* The current task is switched out: a wait begins, or the thread exits. */
static __always_inline void switch_out(void *ctx, struct scratch *memory, struct cpu_state *a,
				       struct task_struct *task, int preempted, __u64 now)
{
	struct user_registers *regs = &memory->walk.regs;
	struct sample *s = &memory->sample;
	__u32 tid = task->pid, bits = task_state(task), state, execs = task->self_exec_id, at = PLACE_RUNNABLE;
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);

	if (!t) {
		if (bits & TASK_DEAD || !in_target_cached(a->other_cgroups, task))
			return;
		t = track_thread(a, tid);
		if (!t)
			return;
		t->execs = execs;
	}
	if (bits & TASK_DEAD) {
		if (t->places[PLACE_UNWALKED_RUNNABLE].count)
			submit_without_stack(memory, a, &t->places[PLACE_UNWALKED_RUNNABLE], task, WAIT_RUNNABLE, now);
		for (int i = 0; i < PLACES; i++)
			submit_place_totals(a, &t->places[i]);
		bpf_map_delete_elem(&threads, &tid);
		return;
	}
	if (t->places[PLACE_UNWALKED_RUNNABLE].count)
		submit_without_stack(memory, a, &t->places[PLACE_UNWALKED_RUNNABLE], task, WAIT_RUNNABLE, now);
	if (t->places[PLACE_UNWALKED_WAIT].count)
		submit_without_stack(memory, a, &t->places[PLACE_UNWALKED_WAIT], task, WAIT_UNKNOWN, now);
	state = preempted ? WAIT_RUNNABLE : wait_state(bits);
	int has_user_stack = saved_registers(task, regs);
	if (!has_user_stack)
		__builtin_memset(regs, 0, sizeof(*regs));
	if (state != WAIT_RUNNABLE)
		at = PLACE_FIRST_WAIT + (__u32)((regs->pc >> 2) + (regs->r[REG_SP] >> 4)) % WAIT_PLACES;
	struct place *p = place_at(t, at);

	int same = same_place(t, p, regs, state, execs);
	t->waiting_since = now;
	t->current_place = at;
	int represents_group = 0;
	t->walked = 1;
	if (same) {
		p->waits += 1;
		t->walked = (p->waits < NEW_PLACE_WAITS || now - p->walked_at >= RARE_WALK_NS) &&
			    take_token(&a->new_walks, NEW_WALK_INTERVAL_NS, NEW_WALK_BURST, now, NEW_WALK_BURST / 2);
		if (!t->walked) {
			represents_group = 1;
			t->walked = !(bpf_get_prandom_u32() & RANDOM_WALK_MASK) &&
				    take_token(&a->repeat_walks, REPEAT_WALK_INTERVAL_NS, REPEAT_WALK_BURST, now, 0);
		}
	}
	if (!t->walked)
		return;
	/* The first wait in an unused place is walked even if the budget is spent. */
	if (!same && p->serial &&
	    !(state == WAIT_RUNNABLE
		      ? take_token(&a->preempted_walks, PREEMPTED_WALK_INTERVAL_NS, PREEMPTED_WALK_BURST, now, 0)
		      : take_token(&a->new_walks, NEW_WALK_INTERVAL_NS, NEW_WALK_BURST, now, 0))) {
		t->current_place = state == WAIT_RUNNABLE ? PLACE_UNWALKED_RUNNABLE : PLACE_UNWALKED_WAIT;
		if (state == WAIT_RUNNABLE)
			submit_without_stack(memory, a, &t->places[PLACE_UNWALKED_RUNNABLE], task, WAIT_RUNNABLE, now);
		else
			submit_without_stack(memory, a, &t->places[PLACE_UNWALKED_WAIT], task, WAIT_UNKNOWN, now);
		return;
	}
	if (same) {
		submit_wait_total(a, RECORD_WAIT_TOTAL, p->serial, p->count, p->time);
		p->serial = new_serial(a);
	} else {
		submit_place_totals(a, p);
		p->pc = regs->pc;
		p->sp = regs->r[REG_SP];
		p->state = state;
		p->serial = p->group = new_serial(a);
		p->unwalked_time = p->unwalked_count = p->waits = 0;
		t->execs = execs;
	}
	p->time = p->count = 0;
	if (!represents_group)
		p->walked_at = now;
	init_wait_sample(s, task, p, now);
	s->represents_group = represents_group;
	capture_stack(ctx, memory, 1, has_user_stack);
}

/* The profiler's thread is switched out and holds a copy of a sleeper's stack: walks the copy. */
static __always_inline void walk_stack_copy(void *ctx, struct scratch *memory, struct stack_copy *other, __u64 now)
{
	struct sample *s = &memory->sample;
	struct walk *w = &memory->walk;

	s->kind = RECORD_SAMPLE;
	s->labels = LABELS_NONE;
	s->state = WAIT_UNKNOWN;
	s->serial = other->serial;
	s->period = 0;
	s->group = other->serial;
	s->time = now;
	s->link_register = 0;
	s->tid = other->tid;
	s->kernel_frames = 0;
	s->process = other->process;
	s->parent.tgid = s->parent.execs = 0;
	s->parent.started = 0;
	w->regs = other->regs;
	start_walk(w, s);
	other->tid = 0; /* walk it only once */
	w->goroutine = 0;
	w->copied_low = other->low;
	w->copied_high = other->high;
	w->copy_offset = other->offset;
	bpf_tail_call(ctx, &programs_by_index, 0);
}

SEC("tp_btf/sched_switch")
int on_sched_switch(__u64 *ctx)
{
	int preempted = ctx[0] & 1;
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	__u32 zero = 0;
	struct control *c = bpf_map_lookup_elem(&controls, &zero);
	struct scratch *memory = bpf_map_lookup_elem(&scratch, &zero);
	struct cpu_state *a = bpf_map_lookup_elem(&cpu_states, &zero);

	if (!c || !memory || !a || !c->begin || c->end)
		return 0;
	__u64 now = bpf_ktime_get_ns();
	if (next->pid)
		switch_in(a, next, now, c->begin);
	if (!prev->pid)
		return 0;
	if (c->stack_copy.tid == prev->pid) {
		walk_stack_copy(ctx, memory, &c->stack_copy, now);
		return 0;
	}
	switch_out(ctx, memory, a, prev, preempted, now);
	return 0;
}

SEC("tp_btf/sched_switch")
int unwind(__u64 *ctx)
{
	return unwind_frames(ctx);
}

SEC("tp_btf/sched_switch")
int unwind_in_loop(__u64 *ctx)
{
	return unwind_frames_in_loop();
}

/* A thread of the target that waits: one entry of the output of list_sleepers. */
struct sleeper {
	__u32 reader_tid; /* of the profiler's thread that reads the list, in the initial PID namespace */
	__u32 pad;
	struct user_registers regs;
	struct sample sample; /* without the user stack; the output is cut to SLEEPER_BYTES */
};

#define SLEEPER_BYTES                                                                                   \
	(__builtin_offsetof(struct sleeper, sample) + __builtin_offsetof(struct sample, stack) +        \
	 (MAX_KERNEL_FRAMES - 1) * sizeof(__u64))

const struct sleeper *unused_sleeper __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sleeper);
} sleepers SEC(".maps");

/* Lists the target's threads that wait, with their registers and kernel stacks. */
SEC("iter/task")
int list_sleepers(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u32 zero = 0;
	struct sleeper *r = bpf_map_lookup_elem(&sleepers, &zero);

	if (!task || !r || !in_target_typed(task, target_cgroup))
		return 0;
	__u32 state = wait_state(task_state(task));
	if (state == WAIT_RUNNABLE || task->flags & PF_KTHREAD)
		return 0;
	int has_user_stack = saved_registers(task, &r->regs);
	struct sample *s = &r->sample;
	init_sample(s, task, 1, bpf_ktime_get_ns());
	s->tid = task->pid;
#pragma clang loop unroll(full)
	for (int i = 0; i < sizeof(s->comm); i++)
		s->comm[i] = task->comm[i];
	set_pids(s, task, 0);
	s->state = state;
	s->user_words = 0;
	s->end = has_user_stack ? END_UNREADABLE : END_ROOT;
	s->has_tables = 1;
	long bytes = bpf_get_task_stack(task, s->stack, (MAX_KERNEL_FRAMES - 1) * sizeof(__u64), 0);
	s->kernel_frames = bytes > 0 ? bytes / sizeof(__u64) : 0;
	r->reader_tid = bpf_get_current_pid_tgid();
	bpf_seq_write(ctx->meta->seq, r, SLEEPER_BYTES);
	return 0;
}
