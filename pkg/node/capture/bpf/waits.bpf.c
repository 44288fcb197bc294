//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How long the target's threads wait, and where. `on_sched_switch` runs at every switch of a CPU from one task to another. The
 * stack is that of the switch out, which is still the same at the switch in. A thread that waits at the same place
 * again and again has its stack walked some of the times, and its waits are summed up here: switches come a hundred
 * thousand times a second, and walking a stack costs more than a switch does.
 */
#include "threads.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A walk costs 3 to 10 us. Of each CPU's, as many in the long run, one per so many ns: 2,000 a second of waits at places
 * that are new or seldom, 500 of others, 250 where a thread was preempted; and at once as many as are in a burst. */
#define NEW_WALK_INTERVAL_NS 500000
#define NEW_WALK_BURST 1000
#define REPEAT_WALK_INTERVAL_NS 2000000
#define REPEAT_WALK_BURST 250
#define PREEMPTED_WALK_INTERVAL_NS 4000000
#define PREEMPTED_WALK_BURST 100
#define NEW_PLACE_WAITS 4          /* at a place count as new */
#define RARE_WALK_NS 4000000      /* between walks */
/* Of the others one of 16 is walked, by chance: other paths may look the same from their registers. What is waited
 * without a walk is shared out by user space as those waits were that chance chose. */
#define CHANCE_MASK 15

/* As in_target_typed, but remembers: most switches are between others, and a cgroup stays where it is. */
static __always_inline int in_target_cached(struct cpu_state *a, struct task_struct *task)
{
	__u64 id = typed_cgroup(task)->kn->id, *outside = &a->other_cgroups[id & (OTHER_CGROUPS - 1)];

	if (*outside == id)
		return 0;
	if (in_target_typed(task, target_cgroup))
		return 1;
	*outside = id;
	return 0;
}

static __always_inline __u64 new_serial(struct cpu_state *a)
{
	return ++a->last_serial << 16 | (__u16)bpf_get_smp_processor_id();
}

static __always_inline void submit_wait_total(struct cpu_state *a, enum record_kind kind, __u64 serial, __u32 count, __u64 time)
{
	struct wait_total_record r = {.kind = kind, .count = count, .serial = serial, .time = time};

	if (!count && (kind != RECORD_UNWALKED_TOTAL || !serial))
		return;
	if (serial && !bpf_ringbuf_output(&samples, &r, sizeof(r), BPF_RB_NO_WAKEUP))
		return;
	a->lost_waits += count;
	a->lost_time += time;
}

/* Tells what was waited at a place that will be another's. The group ends with it, so its rest is told even if there is none. */
static __always_inline void submit_place_totals(struct cpu_state *a, struct place *p)
{
	submit_wait_total(a, RECORD_WAIT_TOTAL, p->serial, p->count, p->time);
	submit_wait_total(a, RECORD_UNWALKED_TOTAL, p->group, p->unwalked_count, p->unwalked_time);
}

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

/* Says whose a stack is, of the current task. */
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

/* Gives a place of the current task that has no stack a record that says so. */
static __always_inline void submit_without_stack(struct scratch *memory, struct cpu_state *a, struct place *p, struct task_struct *task,
					       __u32 state, __u64 now)
{
	struct sample *s = &memory->sample;

	if (p->serial)
		return;
	p->serial = p->group = new_serial(a);
	p->state = state;
	init_wait_sample(s, task, p, now);
	if (!s->pid && may_read_kernel) { /* a task that ends has none any more */
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

/* The task goes on. */
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
	if (!in_target_cached(a, task))
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

/* Whether the CPU may spend time on a stack now, and leave as many to others. */
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

static __always_inline int same_place(struct thread *t, struct place *p, struct user_registers *regs, __u32 state, __u32 execs)
{
	return p->serial && p->pc == regs->pc && p->sp == regs->r[REG_SP] && p->state == state && t->execs == execs;
}

/* The current task gives up its CPU. */
static __always_inline void switch_out(void *ctx, struct scratch *memory, struct cpu_state *a, struct task_struct *task, int preempted, __u64 now)
{
	struct user_registers *regs = &memory->walk.regs;
	struct sample *s = &memory->sample;
	__u32 tid = task->pid, bits = task_state(task), state, execs = task->self_exec_id, at = PLACE_RUNNABLE;
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);

	if (!t) {
		if (bits & TASK_DEAD || !in_target_cached(a, task))
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
		t->walked = (p->waits < NEW_PLACE_WAITS || now - p->walked_at >= RARE_WALK_NS) && take_token(&a->new_walks, NEW_WALK_INTERVAL_NS, NEW_WALK_BURST, now, NEW_WALK_BURST / 2);
		if (!t->walked) {
			represents_group = 1;
			t->walked = !(bpf_get_prandom_u32() & CHANCE_MASK) && take_token(&a->repeat_walks, REPEAT_WALK_INTERVAL_NS, REPEAT_WALK_BURST, now, 0);
		}
	}
	if (!t->walked)
		return;
	/* A thread's first waits are always worth it. */
	if (!same && p->serial &&
	    !(state == WAIT_RUNNABLE ? take_token(&a->preempted_walks, PREEMPTED_WALK_INTERVAL_NS, PREEMPTED_WALK_BURST, now, 0)
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
	capture_stack(ctx, memory, has_user_stack);
}

/* Our own thread has copied the stack of one that sleeps. */
static __always_inline void walk_stack_copy(void *ctx, struct scratch *memory, struct stack_copy *other, __u64 now)
{
	struct sample *s = &memory->sample;
	struct walk *w = &memory->walk;

	s->kind = RECORD_SAMPLE;
	s->has_labels = 0;
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
	other->tid = 0; /* once only */
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

/* A thread that does not run, as the list of them tells it. */
struct sleeper {
	__u32 reader_tid; /* number of the thread that reads the list, in the kernel's first PID namespace */
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
	__u32 state = wait_state(task_state(task));
	if (state == WAIT_RUNNABLE || !saved_registers(task, &r->regs))
		return 0;
	struct sample *s = &r->sample;
	init_sample(s, task, 1, bpf_ktime_get_ns());
	s->tid = task->pid;
#pragma clang loop unroll(full)
	for (int i = 0; i < sizeof(s->comm); i++)
		s->comm[i] = task->comm[i];
	set_pids(s, task, 0);
	s->state = state;
	s->user_words = 0;
	s->end = END_UNREADABLE;
	s->has_tables = 1;
	long bytes = bpf_get_task_stack(task, s->stack, (MAX_KERNEL_FRAMES - 1) * sizeof(__u64), 0);
	s->kernel_frames = bytes > 0 ? bytes / sizeof(__u64) : 0;
	r->reader_tid = bpf_get_current_pid_tgid();
	bpf_seq_write(ctx->meta->seq, r, SLEEPER_BYTES);
	return 0;
}
