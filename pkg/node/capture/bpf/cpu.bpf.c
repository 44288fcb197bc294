//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * CPU and page-fault profiles. A perf event on every CPU runs take_sample after a fixed amount of CPU-clock
 * time, or after a fixed number of page faults.
 */
#include "sample.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set by the loader; 0: take every sample. Otherwise, in each second, a CPU takes the first step_samples
 * events one by one, then step_samples samples at every second event, step_samples at every fourth, and so on. */
const volatile __u32 step_samples;

#define STEP_NS 1000000000
#define MAX_STEPS 20

/* Returns the number of events the sample stands for, or 0 if it is not taken. Which event of a group is
 * taken is random, so that events that alternate are each represented. */
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
	struct scratch *memory = element(&scratch, 0);
	if (!memory)
		return 0;
	if (has_typed_task()) {
		if (!in_target_cached(memory->other_cgroups, bpf_get_current_task_btf()))
			return 0;
	} else if (!in_target_probed((void *)bpf_get_current_task(), target_cgroup)) {
		return 0;
	}
	__u64 now = bpf_ktime_get_ns();
	__u32 stands_for = 1;
	if (step_samples) {
		stands_for = sample_weight(&memory->rate_window, now);
		if (!stands_for)
			return 0;
	}
	struct sample *s = &memory->sample;
	init_sample(s, current_task(), has_typed_task(), now);
	s->tid = bpf_get_current_pid_tgid();
	read_comm(s->comm, current_task());
	set_pids(s, current_task(), 1);
	s->period = ctx->sample_period * stands_for;
	capture_stack(ctx, memory, is_kernel_address(EVENT_PC(ctx)), user_registers(ctx, &memory->walk.regs));
	return 0;
}

SEC("perf_event")
int unwind(struct bpf_perf_event_data *ctx)
{
	return unwind_frames(ctx);
}

SEC("perf_event")
int unwind_in_loop(struct bpf_perf_event_data *ctx)
{
	return unwind_frames_in_loop();
}
