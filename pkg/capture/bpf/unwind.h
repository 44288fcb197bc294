/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* User stacks by frame pointers. amd64 and arm64 keep the same record: the caller's frame pointer at
 * the frame pointer, the return address 8 bytes above it. */
#pragma once

#include "target.h"

#define MAX_KERNEL_FRAMES 128 /* a power of two; kernel.perf_event_max_stack is 127 */
#define MAX_USER_FRAMES 1024
#define TOP_WORDS 8 /* of the stack that go with a sample */
/* A stack rises towards its root, but for the steps from one stack to another: Go's systemstack, a
 * signal handler's own stack. A chain that goes down more often leads nowhere. */
#define MAX_DESCENTS 8

struct user_registers {
	__u64 pc, fp, sp;
	__u64 lr; /* the link register; 0 on amd64, which has none */
};

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* The highest bit tells the kernel's addresses from a program's on both architectures. */
static __always_inline int is_kernel_address(__u64 address)
{
	return (__s64)address < 0;
}

#if defined(__TARGET_ARCH_x86)
#define REG_PC(r) ((r)->ip)
#define REG_FP(r) ((r)->bp)
#define REG_SP(r) ((r)->sp)
#define REG_LR(r) 0
#define SAVED_PC(r) ((r)->ip)
#define SAVED_FP(r) ((r)->bp)
#define SAVED_SP(r) ((r)->sp)
#define SAVED_LR(r) 0
#define THREAD_SIZE (4 * 4096) /* arch/x86/include/asm/page_64_types.h, without KASAN */
#define STACK_TOP_PADDING 0
#elif defined(__TARGET_ARCH_arm64)
#define REG_PC(r) ((r)->pc)
#define REG_FP(r) ((r)->regs[29])
#define REG_SP(r) ((r)->sp)
#define REG_LR(r) ((r)->regs[30])
#define SAVED_PC(r) ((r)->user_regs.pc)
#define SAVED_FP(r) ((r)->user_regs.regs[29])
#define SAVED_SP(r) ((r)->user_regs.sp)
#define SAVED_LR(r) ((r)->user_regs.regs[30])
#define THREAD_SIZE (4 * 4096) /* arch/arm64/include/asm/memory.h, pages of 4 KiB without KASAN */
#define STACK_TOP_PADDING 0
#endif

/* The registers with which the task left user mode: those of the event if it hit there, else those
 * saved on the kernel stack. Gives 0 for a kernel thread. */
static __always_inline int user_registers(struct bpf_perf_event_data *ctx, struct user_registers *out)
{
	if (!is_kernel_address(REG_PC(&ctx->regs))) {
		out->pc = REG_PC(&ctx->regs);
		out->fp = REG_FP(&ctx->regs);
		out->sp = REG_SP(&ctx->regs);
		out->lr = REG_LR(&ctx->regs);
		return 1;
	}
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		struct task_struct *task = bpf_get_current_task_btf();
		struct pt_regs *saved;

		if (task->flags & PF_KTHREAD)
			return 0;
		saved = (struct pt_regs *)bpf_task_pt_regs(task);
		out->pc = SAVED_PC(saved);
		out->fp = SAVED_FP(saved);
		out->sp = SAVED_SP(saved);
		out->lr = SAVED_LR(saved);
	} else {
		/* They stand at the top of the kernel stack: task_pt_regs in asm/processor.h. */
		struct task_struct *task = (void *)bpf_get_current_task();
		struct pt_regs *saved;

		if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
			return 0;
		saved = BPF_CORE_READ(task, stack) + THREAD_SIZE - STACK_TOP_PADDING - bpf_core_type_size(struct pt_regs);
#if defined(__TARGET_ARCH_x86)
		out->pc = BPF_CORE_READ(saved, ip);
		out->fp = BPF_CORE_READ(saved, bp);
		out->sp = BPF_CORE_READ(saved, sp);
#elif defined(__TARGET_ARCH_arm64)
		out->pc = BPF_CORE_READ(saved, user_regs.pc);
		out->sp = BPF_CORE_READ(saved, user_regs.sp);
		bpf_core_read(&out->fp, sizeof(out->fp), &saved->user_regs.regs[29]);
		bpf_core_read(&out->lr, sizeof(out->lr), &saved->user_regs.regs[30]);
#endif
	}
	return !is_kernel_address(out->pc);
}

/* A walk up the stack. It is kept in a map and not in registers: to the verifier a value in a map is
 * any value, so that it need not follow the rest of the program once for each number of frames. */
struct walk {
	__u64 pc, fp;   /* of the next frame */
	__u32 frames;   /* MAX_USER_FRAMES + 1: there are more than fit */
	__u32 descents;
};

/* Takes one step, and gives 1 when it was the last. */
static __always_inline int step(__u32 i, __u64 *stack, struct walk *w)
{
	struct {
		__u64 fp, pc;
	} frame;

	stack[i] = w->pc;
	w->frames = i + 1;
	if (w->fp & 7 || !w->fp || bpf_probe_read_user(&frame, sizeof(frame), (void *)w->fp) || !frame.pc)
		return 1;
	if (frame.fp <= w->fp && ++w->descents > MAX_DESCENTS)
		return 1;
	w->pc = frame.pc;
	w->fp = frame.fp;
	return 0;
}

static __always_inline void begin(struct walk *w, struct user_registers *regs)
{
	w->pc = regs->pc;
	w->fp = regs->fp;
	w->frames = 0;
	w->descents = 0;
}
