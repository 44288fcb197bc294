//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Lists processes with the ids of their cgroups, to find the target container's. */
#include "target.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct task_record {
	__u64 start_boottime;        /* ns; /proc/<pid>/stat has it in clock ticks */
	__u64 cgroups[CGROUP_LEVELS]; /* ids, the task's own first, then upwards; 0 where there are none */
	__u32 tgid;                  /* in the kernel's first PID namespace */
	__u32 pid;                   /* in the PID namespace of our /proc; 0 if it cannot be read */
	__u32 pidns_level;             /* depth of that namespace, the first having 0 */
	__u32 execs;                 /* how often it and its ancestors have called execve */
};

const struct task_record *unused_task_record __attribute__((unused)); /* keeps the type in the BTF, for bpf2go -type */

SEC("iter/task")
int list_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_record r = {};

	if (!task || task->pid != task->tgid)
		return 0;
	r.tgid = task->tgid;
	r.start_boottime = task->start_boottime;
	r.execs = task->self_exec_id;

	struct cgroup *cgroup = typed_cgroup(task);
	for (int i = 0; i < CGROUP_LEVELS && cgroup; i++) {
		r.cgroups[i] = cgroup->kn->id;
		struct cgroup_subsys_state *parent = cgroup->self.parent;
		if (!parent)
			break;
		cgroup = parent->cgroup;
	}
	/* The current task is the one that reads this list: we. */
	if (has_typed_task())
		r.pidns_level = bpf_get_current_task_btf()->thread_pid->level;
	else
		r.pidns_level = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_pid, level);
	if (r.pidns_level == 0)
		r.pid = r.tgid;
	else if (may_read_kernel)
		r.pid = pid_at_level(task, r.pidns_level);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
