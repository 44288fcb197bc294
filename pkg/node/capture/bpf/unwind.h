/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks a user stack. The caller of each frame is found by the unwind table of the frame's object, or by
 * frame pointers where the table has no row. The frame record is the same on amd64 and arm64: the frame
 * pointer points to the caller's frame pointer; the return address is 8 bytes above it.
 */
#pragma once
#include "go.h"

/* Words of a recorded stack; powers of two, so that a mask bounds an index. */
enum stack_capacity {
	MAX_KERNEL_FRAMES = 128, /* kernel.perf_event_max_stack is 127 by default */
	MAX_USER_WORDS = 1024,   /* 32 tail calls of 32 frames */
};
#define WINDOW_WORDS 512 /* stack words read at once: 4 KiB cost 1.4 times as much as 16 bytes */
#define BELOW_WINDOW 128 /* bytes read below the address asked for: the next read may be slightly lower */
/* Addresses rise from leaf to root, except where a walk changes stacks: Go's systemstack, a signal handler's
 * alternate stack. More descents than this mean a corrupt chain. */
#define MAX_DESCENTS 8
/* Marks in a word of a user stack; no user address has these bits. */
enum address_mark {
	BY_FRAME_POINTER = 1ULL << 63, /* found by frame pointer: user space checks that it follows a call */
	EXACT_ADDRESS = 1ULL << 62,    /* the address of the next instruction, not a return address: see README.md */
	RUNTIME_FRAME = 1ULL << 61,    /* reserved, not emitted yet: two payload words of a language runtime follow */
};

/* Why a walk ended. */
enum walk_end {
	END_NONE,          /* it has not ended */
	END_ROOT,          /* at the first function of a thread */
	END_NO_CALLER,     /* return address or frame pointer of zero: a root, if the code keeps frame pointers */
	END_TRUNCATED,     /* the stack has more frames than are recorded */
	END_UNREADABLE,    /* the stack could not be read */
	END_UNMAPPED,      /* the return address is in no executable mapping */
	END_NOT_RISING,    /* the caller's frame is not above this one */
	END_NOT_DESCRIBED, /* the rule is not supported or needs a register whose value is unknown */
	END_NOT_WALKED,    /* the stack was not walked */
};

/* The state of a walk. It is kept in a map, not in registers (README.md, "State in a map"). */
struct walk {
	__u64 pc, sp, fp;
	__u64 mark;                    /* enum address_mark of the pc */
	struct user_registers regs;    /* of the leaf */
	struct unwind_range range;     /* of the last frame: the next one is often in the same range */
	struct go_layout go;           /* valid only if goroutine is set */
	__u64 goroutine;               /* that runs on the thread; 0: none, or unknown */
	__u32 first_range, ranges;     /* of the process, in unwind_ranges */
	__u32 has_tables;              /* the process has ranges */
	__u32 exact;                   /* the pc is the next instruction, not a return address */
	__u32 frames, descents;        /* frames recorded so far, one word each */
	__u32 end;                     /* enum walk_end */
	__u32 window_bytes;            /* valid bytes of window */
	__u64 window_start;            /* user address of window[0] */
	__u64 copied_low, copied_high; /* original addresses of a stack of which the current process has a copy */
	__u64 copy_offset;             /* address of the copy minus original address; 0: no copy */
	__u64 window[WINDOW_WORDS];
};

/* Reads a word of the stack. Returns 0 if that fails. */
static __always_inline int stack_word(struct walk *w, __u64 address, __u64 *out)
{
	__u64 at = address - w->window_start;

	if (w->copy_offset)
		return address - w->copied_low < w->copied_high - w->copied_low && read_word(address + w->copy_offset, out);
	if (address & 7)
		return !bpf_probe_read_user(out, sizeof(*out), (void *)address);
	if (at >= w->window_bytes) {
		w->window_bytes = sizeof(w->window);
		w->window_start = address - BELOW_WINDOW;
		if (bpf_probe_read_user(w->window, sizeof(w->window), (void *)w->window_start)) {
			/* The stack ends within the window, or nothing is mapped below the address. */
			w->window_bytes = 256;
			w->window_start = address;
			if (bpf_probe_read_user(w->window, 256, (void *)address)) {
				w->window_bytes = 0;
				return !bpf_probe_read_user(out, sizeof(*out), (void *)address);
			}
		}
		at = address - w->window_start;
	}
	*out = w->window[(at / 8) & (WINDOW_WORDS - 1)];
	return 1;
}

/* Sets w->range to the range of the address. Returns 0 if the process has no executable mapping there. */
static __always_inline int find_range(struct walk *w, __u64 address)
{
	struct unwind_range *r;
	__u64 at = 0;
	__u32 key;

	if (address - w->range.start < w->range.end - w->range.start)
		return 1;
	for (__u32 half = MAX_RANGES / 2; half; half /= 2) {
		__u64 next = at + half;

		key = w->first_range + (next & less_mask(next, w->ranges));
		r = bpf_map_lookup_elem(&unwind_ranges, &key);
		if (!r)
			return 0;
		at += half & less_mask(next, w->ranges) & less_mask(r->start, address + 1);
	}
	key = w->first_range + at;
	r = bpf_map_lookup_elem(&unwind_ranges, &key);
	if (!r || address - r->start >= r->end - r->start)
		return 0;
	w->range = *r;
	return 1;
}

/* Returns the rule for an address in w->range, or null if the range has no table. */
static __always_inline struct unwind_rule *find_rule(struct walk *w, __u64 address)
{
	__u32 relative = address - w->range.bias, rule;
	struct unwind_block *b;

	if (!w->range.index)
		return 0;
	b = find_block(w->range.index);
	if (!b)
		return 0;
	b = find_block(w->range.index + 1 + find_row(b, relative));
	if (!b)
		return 0;
	rule = b->rule[find_row(b, relative)];
	return bpf_map_lookup_elem(&unwind_rules, &rule);
}

/* Ends the walk; returns 1, for its callers to return. */
static __always_inline int end_walk(struct walk *w, enum walk_end why)
{
	w->end = why;
	return 1;
}

/* Reads a register of the frame. Returns 0 if its value is unknown: beyond the leaf only sp and fp are known. */
static __always_inline int frame_register(struct walk *w, __u32 number, __u64 *out)
{
	if (number == REG_SP)
		*out = w->sp;
	else if (number == REG_FP)
		*out = w->fp;
	else if (w->frames == 1)
		*out = w->regs.r[number & (REGISTERS - 1)];
	else
		return 0;
	return 1;
}

/* Moves the walk to the caller, whose registers are given. Like all steps below, returns 1 if the walk ended. */
static __always_inline int continue_at_caller(struct walk *w, __u64 pc, __u64 sp, __u64 fp, __u64 mark)
{
#if defined(__TARGET_ARCH_arm64)
	pc &= (1ULL << 48) - 1; /* removes the pointer authentication code */
#endif
	if (!pc)
		return end_walk(w, END_NO_CALLER);
	if (is_kernel_address(pc))
		return end_walk(w, END_UNMAPPED);
	w->pc = pc;
	w->sp = sp;
	w->fp = fp;
	w->exact = 0;
	w->mark = mark;
	return 0;
}

static __always_inline int step_by_frame_pointer(struct walk *w)
{
	__u64 pc, fp;

	if (!w->fp)
		return end_walk(w, END_NO_CALLER);
	if (w->fp & 7 || !stack_word(w, w->fp, &fp) || !stack_word(w, w->fp + 8, &pc))
		return end_walk(w, END_UNREADABLE);
	if (fp <= w->fp && fp && ++w->descents > MAX_DESCENTS)
		return end_walk(w, END_NOT_RISING);
	return continue_at_caller(w, pc, w->fp + 16, fp, BY_FRAME_POINTER);
}

#if defined(__TARGET_ARCH_x86)
/* Offsets from the stack pointer, which is at struct ucontext: struct rt_sigframe of
 * arch/x86/include/asm/sigframe.h, whose first word the return has popped. The registers are struct
 * sigcontext_64 of uapi/asm/sigcontext.h. */
#define SIGNAL_FP 120
#define SIGNAL_SP 160
#define SIGNAL_PC 168
#elif defined(__TARGET_ARCH_arm64)
/* Offsets from the stack pointer, which is at struct rt_sigframe of arch/arm64/kernel/signal.c: siginfo (128
 * bytes), then struct ucontext, whose registers start at 184 (uapi/asm/ucontext.h, uapi/asm/sigcontext.h). */
#define SIGNAL_REGS (128 + 184)
#define SIGNAL_FP (SIGNAL_REGS + 8 * 29)
#define SIGNAL_LR (SIGNAL_REGS + 8 * 30)
#define SIGNAL_SP (SIGNAL_REGS + 8 * 31)
#define SIGNAL_PC (SIGNAL_REGS + 8 * 32)
#endif

/* Continues at the instruction that the signal interrupted. */
static __always_inline int step_out_of_signal(struct walk *w)
{
	__u64 pc, sp, fp;

	if (!stack_word(w, w->sp + SIGNAL_FP, &fp) || !stack_word(w, w->sp + SIGNAL_SP, &sp) ||
	    !stack_word(w, w->sp + SIGNAL_PC, &pc))
		return end_walk(w, END_UNREADABLE);
#if defined(__TARGET_ARCH_arm64)
	if (!stack_word(w, w->sp + SIGNAL_LR, &w->regs.r[REG_LR]))
		return end_walk(w, END_UNREADABLE);
#endif
	if (sp <= w->sp && ++w->descents > MAX_DESCENTS)
		return end_walk(w, END_NOT_RISING);
	if (continue_at_caller(w, pc, sp, fp, EXACT_ADDRESS))
		return 1;
	w->exact = 1;
	return 0;
}

/* Continues at the caller of a runtime function that left the goroutine's stack at the stack pointer sp, after
 * pushing `pushed` bytes there: on amd64 nothing or the frame pointer, on arm64 the frame record. */
static __always_inline int step_to_goroutine(struct walk *w, __u64 sp, __s32 pushed)
{
	__u64 pc, fp = w->fp;

#if defined(__TARGET_ARCH_x86)
	if (pushed && !stack_word(w, sp, &fp))
		return end_walk(w, END_UNREADABLE);
	sp += pushed;
	if (!stack_word(w, sp, &pc))
		return end_walk(w, END_UNREADABLE);
	return continue_at_caller(w, pc, sp + 8, fp, 0);
#elif defined(__TARGET_ARCH_arm64)
	if (!stack_word(w, sp - 8, &fp) || !stack_word(w, sp, &pc))
		return end_walk(w, END_UNREADABLE);
	return continue_at_caller(w, pc, sp + 16, fp, 0);
#endif
}

/* runtime.asmcgocall switched from the goroutine's stack to the thread's. It saved there the goroutine and the
 * distance of sp from the top of the goroutine's stack; if it was already on the thread's stack, zero and sp
 * (runtime/asm_amd64.s and asm_arm64.s). */
static __always_inline int step_out_of_cgocall(struct walk *w, __s32 offset, __s32 pushed)
{
	__u64 g, depth, top = 0, sp;

#if defined(__TARGET_ARCH_x86)
	if (!stack_word(w, w->sp + offset, &depth) || !stack_word(w, w->sp + offset + 8, &g))
		return end_walk(w, END_UNREADABLE);
#elif defined(__TARGET_ARCH_arm64)
	if (!stack_word(w, w->sp + offset, &g) || !stack_word(w, w->sp + offset + 8, &depth))
		return end_walk(w, END_UNREADABLE);
#endif
	sp = depth;
	if (w->copy_offset && g)
		return end_walk(w, END_NOT_DESCRIBED); /* g is in the sleeper's memory; only its stack was copied */
	if (g) {
		if (!read_word(g + G_STACK_HIGH, &top))
			return end_walk(w, END_UNREADABLE);
		sp = top - depth;
	}
	return step_to_goroutine(w, sp, pushed);
}

/* runtime.systemstack switched from the goroutine's stack to the thread's. g.sched has the goroutine's sp. */
static __always_inline int step_out_of_systemstack(struct walk *w, __s32 pushed)
{
	__u64 sp, low, high;

	if (!w->goroutine) /* unknown version of Go: skips systemstack's caller */
		return step_by_frame_pointer(w);
	if (!read_word(w->goroutine + G_STACK_LOW, &low) || !read_word(w->goroutine + G_STACK_HIGH, &high) ||
	    !read_word(w->goroutine + G_SCHED_SP, &sp))
		return end_walk(w, END_UNREADABLE);
	if (w->sp >= low && w->sp < high) /* before the switch, or after the switch back */
		sp = w->sp;
	return step_to_goroutine(w, sp, pushed);
}

/* runtime.morestack was called at the entry of a function, to which it returns by g.sched. That function is
 * recorded in its place, as by runtime/pprof. */
static __always_inline int step_out_of_morestack(struct walk *w, __u64 *frame)
{
	__u64 sp, pc, fp, caller;

	if (!w->goroutine)
		return step_by_frame_pointer(w);
	if (!read_word(w->goroutine + G_SCHED_SP, &sp) || !read_word(w->goroutine + G_SCHED_PC, &pc) ||
	    !read_word(w->goroutine + w->go.sched_bp, &fp))
		return end_walk(w, END_UNREADABLE);
	*frame = pc;
#if defined(__TARGET_ARCH_x86)
	if (!stack_word(w, sp, &caller))
		return end_walk(w, END_UNREADABLE);
	return continue_at_caller(w, caller, sp + 8, fp, 0);
#elif defined(__TARGET_ARCH_arm64)
	if (!read_word(w->goroutine + w->go.sched_lr, &caller))
		return end_walk(w, END_UNREADABLE);
	return continue_at_caller(w, caller, sp, fp, 0);
#endif
}

/* Continues at the caller that a rule of the unwind table describes. */
static __always_inline int step_by_rule(struct walk *w, struct unwind_rule *rule, __u64 *frame)
{
	__u64 cfa, pc, fp = w->fp;

	switch (rule->cfa) {
	case CFA_REGISTER:
	case CFA_DEREFERENCE:
		if (!frame_register(w, rule->cfa_register, &cfa))
			return end_walk(w, END_NOT_DESCRIBED);
		cfa += rule->cfa_offset;
		if (rule->cfa == CFA_DEREFERENCE) {
			if (!stack_word(w, cfa, &cfa))
				return end_walk(w, END_UNREADABLE);
			cfa += rule->cfa_add;
		}
		break;
	case CFA_PLT:
		cfa = w->sp + 8 + ((w->pc & 15) >= (__u32)rule->cfa_add ? 8 : 0);
		break;
	case CFA_SIGNAL:
		return step_out_of_signal(w);
	case CFA_ROOT:
		return end_walk(w, END_ROOT);
	case CFA_GO_CGOCALL:
		return step_out_of_cgocall(w, rule->cfa_offset, rule->cfa_add);
	case CFA_GO_SYSTEMSTACK:
		return step_out_of_systemstack(w, rule->cfa_add);
	case CFA_GO_MORESTACK:
		return step_out_of_morestack(w, frame);
	default:
		return end_walk(w, END_NOT_DESCRIBED);
	}
	/* The frame pointer first: it is below the return address, and the window is read upwards. */
	if (rule->fp == SAVED_REGISTER) {
		if (!frame_register(w, rule->fp_offset, &fp))
			return end_walk(w, END_NOT_DESCRIBED);
	} else if (rule->fp != SAVED_SAME) {
		if (!stack_word(w, (rule->fp == SAVED_AT_CFA ? cfa : w->fp) + rule->fp_offset, &fp))
			return end_walk(w, END_UNREADABLE);
	}
	if (rule->ra == SAVED_AT_CFA) {
		if (!stack_word(w, cfa + rule->ra_offset, &pc))
			return end_walk(w, END_UNREADABLE);
	} else if (rule->ra == SAVED_REGISTER) {
		if (!frame_register(w, rule->ra_offset, &pc))
			return end_walk(w, END_NOT_DESCRIBED);
#if defined(__TARGET_ARCH_arm64)
	} else if (rule->ra == SAVED_SAME && w->exact) {
		pc = w->regs.r[REG_LR];
#endif
	} else {
		return end_walk(w, END_NOT_DESCRIBED);
	}
	/* A leaf whose return address is in a register may have nothing on the stack. */
	if (cfa < w->sp || (cfa == w->sp && !w->exact))
		return end_walk(w, END_NOT_RISING);
	return continue_at_caller(w, pc, cfa, fp, 0);
}

/* Records the frame and moves the walk to its caller. Returns 1 if the walk ended. */
static __always_inline int walk_frame(struct walk *w, __u64 *stack)
{
	__u64 address = w->exact ? w->pc : w->pc - 1; /* in the call, which may end its function */
	__u32 n = w->frames;
	struct unwind_rule *rule = 0;

	if (n >= MAX_USER_WORDS)
		return end_walk(w, END_TRUNCATED);
	if (w->has_tables && !find_range(w, address)) {
		w->range.start = w->range.end = 0;
		if (n)
			return end_walk(w, END_UNMAPPED);
		w->has_tables = 0; /* the leaf is in code mapped since the process was read */
	} else if (w->has_tables) {
		rule = find_rule(w, address);
	}
	if (rule && rule->cfa == CFA_SIGNAL)
		w->mark = EXACT_ADDRESS;
	w->frames = n + 1;
	asm volatile("" : "+r"(n)); /* README.md, "Bounds next to their use" */
	stack[n & (MAX_USER_WORDS - 1)] = w->pc | w->mark;
	if (rule && rule->cfa != CFA_FRAME_POINTER)
		return step_by_rule(w, rule, &stack[n & (MAX_USER_WORDS - 1)]);
	return step_by_frame_pointer(w);
}
