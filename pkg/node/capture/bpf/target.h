/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Selects the target's tasks: those whose cgroup is the container's or a descendant of it.
 *
 * Functions exist twice: `typed` ones use typed loads, `probed` ones BPF_CORE_READ, for 5.10 only
 * (README.md, "Typed loads").
 */
#pragma once

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* Levels of the cgroup tree searched, from the task's own upwards. Kubernetes' containers are 4 to 6
 * levels below the root; a node that is itself a container adds as many. */
#define CGROUP_LEVELS 24

#define MAX_PIDNS_LEVEL 32 /* MAX_PID_NS_LEVEL of include/linux/pid_namespace.h */

/* Set by the loader before the program is verified. */
const volatile __u8 cgroup_v2;       /* the container's cgroup is in the unified hierarchy */
const volatile __u8 may_read_kernel; /* bpf_probe_read_kernel is allowed (no lockdown) */

static __always_inline int has_typed_task(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/* Returns the current task; the verifier knows its type if has_typed_task(). */
static __always_inline struct task_struct *current_task(void)
{
	if (has_typed_task())
		return bpf_get_current_task_btf();
	return (void *)bpf_get_current_task();
}

static __always_inline struct cgroup *typed_cgroup(struct task_struct *task)
{
	if (cgroup_v2)
		return task->cgroups->dfl_cgrp;
	return task->cgroups->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]->cgroup;
}

static __always_inline struct cgroup *probed_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css;

	if (cgroup_v2)
		return BPF_CORE_READ(set, dfl_cgrp);
	bpf_core_read(&css, sizeof(css), &set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]);
	return BPF_CORE_READ(css, cgroup);
}

static __always_inline int in_target_typed(struct task_struct *task, __u64 id)
{
	struct cgroup *cgroup = typed_cgroup(task);

	for (int i = 0; i < CGROUP_LEVELS && cgroup; i++) {
		if (cgroup->kn->id == id)
			return 1;
		struct cgroup_subsys_state *parent = cgroup->self.parent;
		if (!parent)
			return 0;
		cgroup = parent->cgroup;
	}
	return 0;
}

static __always_inline int in_target_probed(struct task_struct *task, __u64 id)
{
	struct cgroup *cgroup = probed_cgroup(task);

	for (int i = 0; i < CGROUP_LEVELS && cgroup; i++) {
		if (BPF_CORE_READ(cgroup, kn, id) == id)
			return 1;
		struct cgroup_subsys_state *parent = BPF_CORE_READ(cgroup, self.parent);
		if (!parent)
			return 0;
		cgroup = BPF_CORE_READ(parent, cgroup);
	}
	return 0;
}

/* Identifies a process and the program it runs. A PID alone does not: it is reused, and survives execve. */
struct process_identity {
	__u64 started; /* CLOCK_BOOTTIME, ns */
	__u32 execs;   /* execve calls of the process and its ancestors */
	__u32 tgid;    /* in the initial PID namespace */
};

/* Reads the identities of a task's process and of its parent. parent->tgid is 0 if the process has called
 * execve since the fork; the caller compares execs to see whether the parent has. Both checks are needed: in
 * `sh -c "helper & exec server"` the two have called execve equally often. */
static __always_inline void read_identities(struct task_struct *task, int typed, struct process_identity *own,
					    struct process_identity *parent)
{
	if (typed) {
		struct task_struct *above = task->group_leader->real_parent->group_leader;

		own->started = task->group_leader->start_boottime;
		own->execs = task->self_exec_id;
		own->tgid = task->tgid;
		parent->started = above->start_boottime;
		parent->execs = above->self_exec_id;
		parent->tgid = task->parent_exec_id == task->self_exec_id ? above->tgid : 0;
	} else {
		struct task_struct *above = BPF_CORE_READ(task, group_leader, real_parent, group_leader);

		own->started = BPF_CORE_READ(task, group_leader, start_boottime);
		own->execs = BPF_CORE_READ(task, self_exec_id);
		own->tgid = BPF_CORE_READ(task, tgid);
		parent->started = BPF_CORE_READ(above, start_boottime);
		parent->execs = BPF_CORE_READ(above, self_exec_id);
		parent->tgid = BPF_CORE_READ(task, parent_exec_id) == BPF_CORE_READ(task, self_exec_id)
				       ? BPF_CORE_READ(above, tgid)
				       : 0;
	}
}

/* The PIDs of a task, one for each PID namespace that it is in. */
struct task_pids {
	struct pid *pid;
	__u32 level; /* depth of its innermost PID namespace; the initial one has 0 */
};

static __always_inline struct task_pids read_pids(struct task_struct *task)
{
	struct pid *pid;

	if (has_typed_task()) {
		pid = task->thread_pid;
		return (struct task_pids){pid, pid->level};
	}
	pid = BPF_CORE_READ(task, thread_pid);
	return (struct task_pids){pid, BPF_CORE_READ(pid, level)};
}

/* Returns the PID in the namespace of the given depth, or 0 if the task is in no namespace that deep. */
static __always_inline __u32 pid_at_level(struct task_pids *p, __u32 level)
{
	int nr = 0;

	if (level > MAX_PIDNS_LEVEL || p->level < level)
		return 0;
	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)p->pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid));
	return nr;
}
