/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The walk up a user stack. Each frame is left by the row of its object's unwind table, and where
 * there is none by frame pointers. amd64 and arm64 keep the same frame record: the caller's frame
 * pointer at the frame pointer, the return address 8 bytes above it.
 */
#pragma once
#include "go.h"

/* Powers of two. */
enum stack_capacity {
	MAX_KERNEL_FRAMES = 128, /* kernel.perf_event_max_stack is 127 */
	MAX_USER_WORDS = 1024,
};
#define WINDOW_WORDS 512 /* of the stack that are read at once: 4 KiB cost little more than a word */
#define BELOW_WINDOW 128 /* bytes before the first address asked for, for the next may lie lower */
/* A stack rises towards its root, but for the steps from one stack to another: Go's systemstack, a
 * signal handler's own stack. A chain that goes down more often leads nowhere. */
#define MAX_DESCENTS 8
/* Set in an address of a user stack; no user address has these bits. */
enum address_mark {
	BY_FRAME_POINTER = 1ULL << 63, /* found by a frame pointer rather than by a table: user space looks whether it follows a call */
	EXACT_ADDRESS = 1ULL << 62,    /* no return address: a signal interrupted the frame there, or returns to it */
	RUNTIME_FRAME = 1ULL << 61,    /* reserved, never emitted yet: two payload words of a frame described by a language runtime follow */
};

/* Why a walk ended. */
enum walk_end {
	END_NONE,          /* it goes on, or has not begun */
	END_ROOT,          /* at a place where a thread begins */
	END_NO_CALLER,     /* a return address or frame pointer of zero: a root, if the code keeps frame pointers */
	END_TRUNCATED,     /* more frames than are recorded */
	END_UNREADABLE,    /* the stack cannot be read where the next frame should be */
	END_UNMAPPED,      /* the return address is in no executable mapping */
	END_NOT_RISING,    /* the next frame is not above this one */
	END_NOT_DESCRIBED, /* the table's row is not understood, or wants a register that is not known */
	END_NOT_WALKED,     /* there was no walk */
};

/* It is kept in a map and not in registers: to the verifier a value in a map is any value, so that it
 * need not follow the rest of the program once for each number of frames. */
struct walk {
	__u64 pc, sp, fp;
	__u64 mark;                 /* BY_FRAME_POINTER or EXACT_ADDRESS, of the pc */
	struct user_registers regs; /* of the leaf */
	struct unwind_range range;  /* that of the last frame, for the next is often in the same */
	struct go_layout go;        /* if the process is of Go */
	__u64 goroutine;            /* that the thread runs; 0 if none is known */
	__u32 first_range, ranges;
	__u32 has_tables;                /* the process has ranges */
	__u32 exact;                /* the pc is an interrupted one, and no return address */
	__u32 frames, descents;
	__u32 end;                  /* enum walk_end */
	__u32 window_bytes;
	__u64 window_start;
	__u64 copied_low, copied_high; /* addresses of a stack of which the current process has a copy elsewhere; else 0 */
	__u64 copy_offset;           /* from there to the copy */
	__u64 window[WINDOW_WORDS];
};

/* Reads a word of the stack; gives 0 if it cannot be read. */
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
			/* Less than that up to the stack's end, or nothing below. */
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

/* Gives 0 if the process has no executable mapping there. */
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

/* The rule of the range that was found; null where there is no table. */
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

static __always_inline int end_walk(struct walk *w, enum walk_end why)
{
	w->end = why;
	return 1;
}

/* A register as the frame has it: of a leaf all are known, later only these two. */
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

/* Goes on to the caller whose frame is described. */
static __always_inline int continue_at_caller(struct walk *w, __u64 pc, __u64 sp, __u64 fp, __u64 mark)
{
#if defined(__TARGET_ARCH_arm64)
	pc &= (1ULL << 48) - 1; /* without a pointer authentication code */
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
/* struct ucontext at the stack pointer: struct rt_sigframe of arch/x86/include/asm/sigframe.h, whose
 * first word the return took; the registers by struct sigcontext_64 of uapi/asm/sigcontext.h. */
#define SIGNAL_FP 120
#define SIGNAL_SP 160
#define SIGNAL_PC 168
#elif defined(__TARGET_ARCH_arm64)
/* struct rt_sigframe of arch/arm64/kernel/signal.c: siginfo (128), then struct ucontext, whose
 * registers begin at 184 (uapi/asm/ucontext.h, uapi/asm/sigcontext.h). */
#define SIGNAL_REGS (128 + 184)
#define SIGNAL_FP (SIGNAL_REGS + 8 * 29)
#define SIGNAL_LR (SIGNAL_REGS + 8 * 30)
#define SIGNAL_SP (SIGNAL_REGS + 8 * 31)
#define SIGNAL_PC (SIGNAL_REGS + 8 * 32)
#endif

/* Goes on where the signal interrupted the thread. */
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

/* Goes on from a function that has left the goroutine's stack at this stack pointer, after it had pushed so
 * many bytes there: on amd64 nothing or the frame pointer, on arm64 the frame record. */
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

/* runtime.asmcgocall left the goroutine's stack for the thread's own. It notes there, for its way back,
 * the goroutine and how far below the top of its stack it was; where it was on the thread's stack already,
 * zero and the stack pointer (runtime/asm_amd64.s and asm_arm64.s). */
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
		return end_walk(w, END_NOT_DESCRIBED); /* only the stack was copied */
	if (g) {
		if (!read_word(g + G_STACK_HIGH, &top))
			return end_walk(w, END_UNREADABLE);
		sp = top - depth;
	}
	return step_to_goroutine(w, sp, pushed);
}

/* runtime.systemstack left the goroutine's stack for the thread's own; g.sched has where. */
static __always_inline int step_out_of_systemstack(struct walk *w, __s32 pushed)
{
	__u64 sp, low, high;

	if (!w->goroutine) /* the version's layout is not known: its caller stays hidden */
		return step_by_frame_pointer(w);
	if (!read_word(w->goroutine + G_STACK_LOW, &low) || !read_word(w->goroutine + G_STACK_HIGH, &high) ||
	    !read_word(w->goroutine + G_SCHED_SP, &sp))
		return end_walk(w, END_UNREADABLE);
	if (w->sp >= low && w->sp < high) /* not yet, or not any more */
		sp = w->sp;
	return step_to_goroutine(w, sp, pushed);
}

/* runtime.morestack was called at the entry of a function, which it will go back to by g.sched. As
 * runtime/pprof does, the function is recorded in its place. */
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
	/* The frame pointer first, for it lies lower. */
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
	/* A leaf may have nothing on the stack, if the return address is in a register. */
	if (cfa < w->sp || (cfa == w->sp && !w->exact))
		return end_walk(w, END_NOT_RISING);
	return continue_at_caller(w, pc, cfa, fp, 0);
}

/* Records the frame and goes on to its caller. Gives 1 when the frame was the last, or there is none. */
static __always_inline int walk_frame(struct walk *w, __u64 *stack)
{
	__u64 address = w->exact ? w->pc : w->pc - 1; /* in the call, which may be the last instruction of its function */
	__u32 n = w->frames;
	struct unwind_rule *rule = 0;

	if (n >= MAX_USER_WORDS)
		return end_walk(w, END_TRUNCATED);
	if (w->has_tables && !find_range(w, address)) {
		w->range.start = w->range.end = 0;
		if (n)
			return end_walk(w, END_UNMAPPED);
		w->has_tables = 0; /* the leaf is in code that was mapped just now */
	} else if (w->has_tables) {
		rule = find_rule(w, address);
	}
	if (rule && rule->cfa == CFA_SIGNAL)
		w->mark = EXACT_ADDRESS;
	w->frames = n + 1;
	asm volatile("" : "+r"(n)); /* the bound where it is used: until 6.3 the verifier forgets it on the stack */
	stack[n & (MAX_USER_WORDS - 1)] = w->pc | w->mark;
	if (rule && rule->cfa != CFA_FRAME_POINTER)
		return step_by_rule(w, rule, &stack[n & (MAX_USER_WORDS - 1)]);
	return step_by_frame_pointer(w);
}
