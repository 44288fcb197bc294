//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Samples the stacks of the target's tasks: a perf event of every CPU runs `take_sample`, at a fixed period of
 * CPU-clock time, or at every so many page faults.
 */
#include "sample.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("perf_event")
int take_sample(struct bpf_perf_event_data *ctx)
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
	identify(s, current_task(), has_typed_task(), bpf_ktime_get_ns());
	s->tid = bpf_get_current_pid_tgid();
	bpf_get_current_comm(s->comm, sizeof(s->comm));
	numbers(s, current_task(), 1);
	s->period = ctx->sample_period;
	begin_stack(ctx, memory, user_registers(ctx, &memory->walk.regs));
	return 0;
}

SEC("perf_event")
int unwind(struct bpf_perf_event_data *ctx)
{
	return unwind_frames(ctx);
}
