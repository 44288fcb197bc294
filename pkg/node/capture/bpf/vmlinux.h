/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel types that the programs read. preserve_access_index makes clang record every field access, so
 * that the loader inserts the offsets of the running kernel (CO-RE): here only the names and types of fields
 * matter, not their offsets.
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};

/* Flag of bpf_map_update_elem, include/uapi/linux/bpf.h */
enum {
	BPF_NOEXIST = 1,
};

/* Flags of bpf_ringbuf_output and bpf_ringbuf_query, include/uapi/linux/bpf.h */
enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Used only to test whether the running kernel has these helpers. */
enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158, /* Linux 5.11 */
	BPF_FUNC_task_pt_regs = 175,         /* Linux 5.15 */
};

enum cgroup_subsys_id {
	memory_cgrp_id = 4, /* depends on the kernel's configuration; relocated */
};

struct kernfs_node {
	__u64 id; /* the inode of the cgroup's directory */
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup_subsys_state *subsys[14];
	struct cgroup *dfl_cgrp;
};

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

#if defined(__TARGET_ARCH_x86)
struct thread_struct {
	unsigned long fsbase;
};
#elif defined(__TARGET_ARCH_arm64)
struct thread_struct {
	struct {
		unsigned long tp_value;
	} uw;
};
#endif

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	unsigned int __state; /* since 5.14; before, "state" */
	__u64 start_time;     /* ns, CLOCK_MONOTONIC */
	__u64 start_boottime; /* ns */
	__u64 self_exec_id;   /* incremented by execve */
	__u64 parent_exec_id; /* the parent's self_exec_id at the fork */
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	char comm[16];
	void *stack;
	struct pid *thread_pid;
	struct css_set *cgroups;
	struct thread_struct thread;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
	unsigned long ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	struct user_pt_regs user_regs;
};
#endif

#pragma clang attribute pop

struct bpf_pidns_info {
	__u32 pid;
	__u32 tgid;
};

/* The context of a perf_event program: include/uapi/linux/bpf_perf_event.h. Its layout is fixed (UAPI). */
#if defined(__TARGET_ARCH_x86)
struct bpf_user_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
	unsigned long ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct bpf_user_regs {
	__u64 regs[31], sp, pc, pstate;
};
#endif

struct bpf_perf_event_data {
	struct bpf_user_regs regs;
	__u64 sample_period;
	__u64 addr;
};
