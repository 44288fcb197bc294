//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Samples the stacks of the target's tasks: a perf event of every CPU runs `take_sample`, at a fixed period of
 * CPU-clock time, or at every so many page faults.
 */
#include "sample.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set by the loader: so many samples of a second and CPU are all taken, of as many more every second, of as many
 * more every fourth, and so on. 0: all. */
const volatile __u32 step_samples;

#define STEP_NS 1000000000
#define MAX_STEPS 20

/* Gives for how many the sample stands, 0 for one that is not taken. It is chance which one of a group is, so that what
 * happens in turns has its share. */
static __always_inline __u32 sample_weight(struct rate_window *s, __u64 now)
{
	if (now - s->begin >= STEP_NS) {
		s->begin = now;
		s->taken = 0;
	}
	if (!s->left) {
		__u32 step = s->taken / step_samples;

		s->group = s->left = 1u << (step < MAX_STEPS ? step : MAX_STEPS);
		s->chosen = bpf_get_prandom_u32() & (s->group - 1);
		s->taken += 1;
	}
	s->left -= 1;
	return s->left == s->chosen ? s->group : 0;
}

SEC("perf_event")
int take_sample(struct bpf_perf_event_data *ctx)
{
	if (has_typed_task()) {
		if (!in_target_typed(bpf_get_current_task_btf(), target_cgroup))
			return 0;
	} else if (!in_target_probed((void *)bpf_get_current_task(), target_cgroup)) {
		return 0;
	}
	__u64 now = bpf_ktime_get_ns();
	__u32 zero = 0, stands_for = 1;
	struct scratch *memory = bpf_map_lookup_elem(&scratch, &zero);
	if (!memory)
		return 0;
	if (step_samples) {
		stands_for = sample_weight(&memory->rate_window, now);
		if (!stands_for)
			return 0;
	}
	struct sample *s = &memory->sample;
	init_sample(s, current_task(), has_typed_task(), now);
	s->tid = bpf_get_current_pid_tgid();
	bpf_get_current_comm(s->comm, sizeof(s->comm));
	set_pids(s, current_task(), 1);
	s->period = ctx->sample_period * stands_for;
	capture_stack(ctx, memory, user_registers(ctx, &memory->walk.regs));
	return 0;
}

SEC("perf_event")
int unwind(struct bpf_perf_event_data *ctx)
{
	return unwind_frames(ctx);
}
