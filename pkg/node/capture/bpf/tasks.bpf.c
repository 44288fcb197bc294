//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Lists all processes with the ids of their cgroups; user space finds the target container's among them. */
#include "target.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct task_record {
	__u64 start_boottime;         /* ns; /proc/<pid>/stat has it in clock ticks */
	__u64 cgroups[CGROUP_LEVELS]; /* ids, from the task's own to the root; 0 beyond it */
	__u32 tgid;                   /* in the initial PID namespace */
	__u32 pid;                    /* in the profiler's PID namespace; 0: cannot be read */
	__u32 pidns_level;            /* depth of that namespace; the initial one has 0 */
	__u32 execs;                  /* execve calls of the process and its ancestors */
};

const struct task_record *unused_task_record __attribute__((unused)); /* keeps the type in BTF for bpf2go -type */

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
	/* The current task is the one that reads the list: the profiler. */
	r.pidns_level = read_pids(current_task()).level;
	if (r.pidns_level == 0) {
		r.pid = r.tgid;
	} else if (may_read_kernel) {
		struct task_pids pids = read_pids(task);

		r.pid = pid_at_level(&pids, r.pidns_level);
	}
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
