/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The registers a task had when it left user mode. */
#pragma once
#include "target.h"

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* On both architectures only kernel addresses have the highest bit. */
static __always_inline int is_kernel_address(__u64 address)
{
	return (__s64)address < 0;
}

/* All registers, by their DWARF numbers: System V ABI for x86-64, figure 3.36, and "DWARF for the Arm
 * 64-bit Architecture". */
#if defined(__TARGET_ARCH_x86)
enum register_number {
	REG_FP = 6,
	REG_SP = 7,
	REGISTERS = 16, /* number of registers */
};
#define EVENT_PC(ctx) ((ctx)->regs.ip)
#define TYPED_THREAD_POINTER(task) ((task)->thread.fsbase)
#define PROBED_THREAD_POINTER(task) BPF_CORE_READ(task, thread.fsbase)
#define SAVED_REGISTERS(saved) (saved)
#define THREAD_SIZE (4 * 4096) /* arch/x86/include/asm/page_64_types.h, without KASAN */
#elif defined(__TARGET_ARCH_arm64)
enum register_number {
	REG_FP = 29,
	REG_LR = 30,
	REG_SP = 31,
	REGISTERS = 32, /* number of registers */
};
#define EVENT_PC(ctx) ((ctx)->regs.pc)
#define TYPED_THREAD_POINTER(task) ((task)->thread.uw.tp_value)
#define PROBED_THREAD_POINTER(task) BPF_CORE_READ(task, thread.uw.tp_value)
#define SAVED_REGISTERS(saved) (&(saved)->user_regs)
#define THREAD_SIZE (4 * 4096) /* arch/arm64/include/asm/memory.h, pages of 4 KiB without KASAN */
#endif

const enum register_number *unused_register_number __attribute__((unused)); /* keeps the type in BTF for bpf2go -type */

struct user_registers {
	__u64 pc;
	__u64 r[REGISTERS];
};

/* Copies struct pt_regs, from a typed pointer or a copy. Its first part is UAPI on both architectures. */
#if defined(__TARGET_ARCH_x86)
#define COPY_REGISTERS(out, from)                                                                  \
	do {                                                                                       \
		(out)->pc = (from)->ip;                                                            \
		(out)->r[0] = (from)->ax;                                                          \
		(out)->r[1] = (from)->dx;                                                          \
		(out)->r[2] = (from)->cx;                                                          \
		(out)->r[3] = (from)->bx;                                                          \
		(out)->r[4] = (from)->si;                                                          \
		(out)->r[5] = (from)->di;                                                          \
		(out)->r[6] = (from)->bp;                                                          \
		(out)->r[7] = (from)->sp;                                                          \
		(out)->r[8] = (from)->r8;                                                          \
		(out)->r[9] = (from)->r9;                                                          \
		(out)->r[10] = (from)->r10;                                                        \
		(out)->r[11] = (from)->r11;                                                        \
		(out)->r[12] = (from)->r12;                                                        \
		(out)->r[13] = (from)->r13;                                                        \
		(out)->r[14] = (from)->r14;                                                        \
		(out)->r[15] = (from)->r15;                                                        \
	} while (0)
#elif defined(__TARGET_ARCH_arm64)
#define COPY_REGISTERS(out, from)                                                                  \
	do {                                                                                       \
		(out)->pc = (from)->pc;                                                            \
		_Pragma("clang loop unroll(full)") /* context accesses need constant offsets */    \
		for (int i = 0; i < 31; i++)                                                       \
			(out)->r[i] = (from)->regs[i];                                             \
		(out)->r[REG_SP] = (from)->sp;                                                     \
	} while (0)
#endif

/* Reads the registers saved on the kernel stack when the task entered the kernel. Returns 0 for a task that
 * runs no user code: a kernel thread, or a worker that the kernel has added to the process for io_uring or
 * vhost. Of a worker's registers, copy_thread (arch/{x86,arm64}/kernel/process.c, since 5.12) clears the
 * program counter and the stack pointer; on amd64 the others are those of the thread that caused it to be
 * created. With bpf_task_pt_regs (5.15) the verifier must know the task's type. */
static __always_inline int saved_registers(struct task_struct *task, struct user_registers *out)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		struct pt_regs *saved;

		if (task->flags & PF_KTHREAD)
			return 0;
		saved = (struct pt_regs *)bpf_task_pt_regs(task);
		COPY_REGISTERS(out, SAVED_REGISTERS(saved));
	} else {
		/* They are at the top of the kernel stack: task_pt_regs in asm/processor.h. */
		struct bpf_user_regs copy;

		if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
			return 0;
		if (bpf_probe_read_kernel(&copy, sizeof(copy),
					  BPF_CORE_READ(task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs)))
			return 0;
		COPY_REGISTERS(out, &copy);
	}
	if (!out->pc && !out->r[REG_SP])
		return 0;
	return !is_kernel_address(out->pc);
}

/* Reads the event's registers if it interrupted user mode, else those saved on entry to the kernel. */
static __always_inline int user_registers(struct bpf_perf_event_data *ctx, struct user_registers *out)
{
	if (!is_kernel_address(EVENT_PC(ctx))) {
		COPY_REGISTERS(out, &ctx->regs);
		return 1;
	}
	return saved_registers(current_task(), out);
}
