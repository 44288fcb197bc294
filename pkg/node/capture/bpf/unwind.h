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
#define FIRST_WINDOW_BYTES 512 /* read at the stack pointer: enough for 10 frames */
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

/* The rule for an address that was searched before. Return addresses recur, and a search takes some twenty cache lines. The
 * element 0 is always zero: the rule to follow the frame pointer. */
#define KNOWN_RULES 128
struct known_rule {
	__u64 address;
	__u32 span; /* of the process */
	struct unwind_rule rule;
};

/* The state of a walk. It is kept in a map, not in registers (README.md, "State in a map"). */
struct walk {
	__u64 pc, sp, fp;              /* of the frame */
	__u64 mark;                    /* enum address_mark of the pc */
	__u32 exact;                   /* the pc is the next instruction, not a return address */
	__u32 next_exact;
	__u64 next_pc, next_sp, next_fp, next_mark; /* of its caller */
	__u64 pc_at, fp_at;            /* where the caller's pc and fp are saved; 0: next_pc and next_fp have them */
	__u32 known_rule;              /* of the frame, in known_rules */
	__u32 has_tables;              /* the process has ranges */
	__u32 frames, descents;        /* frames recorded so far, one word each */
	__u32 end;                     /* enum walk_end */
	__u32 window_bytes;            /* valid bytes of window */
	__u64 window_start;            /* user address of window[0] */
	__u64 copied_low, copied_high; /* original addresses of a stack of which the current process has a copy */
	__u64 copy_offset;             /* address of the copy minus original address; 0: no copy */
	__u64 goroutine;               /* that runs on the thread; 0: none, or unknown */
	struct user_registers regs;    /* of the leaf */
	/* These last from one walk to the next. */
	struct process_identity walked; /* the process of the last walk */
	__u32 changes;                  /* of unwind_processes when it was looked up there */
	__u32 range_span;               /* the span to which range belongs */
	struct unwind_process process;  /* its entry of unwind_processes; span 0: it has none */
	struct unwind_range range;      /* of the last frame that was searched: the next one is often in the same range */
	struct known_rule known_rules[KNOWN_RULES + 1];
	__u64 window[WINDOW_WORDS];
};

/* Reads a word of the stack without the window. Returns 0 if that fails. */
static __always_inline int read_stack(struct walk *w, __u64 address, __u64 *out)
{
	if (w->copy_offset && address - w->copied_low >= w->copied_high - w->copied_low)
		return 0;
	return read_word(address + w->copy_offset, out);
}

/* Reads a word of the stack through the window. Returns 0 if that fails. */
static __always_inline int stack_word(struct walk *w, __u64 address, __u64 *out)
{
	__u64 at = address - w->window_start;

	if (address & 7 || at >= w->window_bytes) {
		if (address & 7 || w->copy_offset)
			return read_stack(w, address, out);
		w->window_bytes = sizeof(w->window);
		w->window_start = address - BELOW_WINDOW;
		if (bpf_probe_read_user(w->window, sizeof(w->window), (void *)w->window_start)) {
			/* The stack ends within the window, or nothing is mapped below the address. */
			w->window_bytes = 256;
			w->window_start = address;
			if (bpf_probe_read_user(w->window, 256, (void *)address)) {
				w->window_bytes = 0;
				return read_word(address, out);
			}
		}
		at = address - w->window_start;
	}
	*out = w->window[(at / 8) & (WINDOW_WORDS - 1)];
	return 1;
}

static __always_inline int in_range(struct walk *w, __u64 address)
{
	return address - w->range.start < w->range.end - w->range.start;
}

/* Sets w->range to the range of the address. Returns 0 if the process has no executable mapping there. */
static __always_inline int find_range(struct walk *w, __u64 address)
{
	struct unwind_range *r;
	__u64 at = 0, first;
	void *chunk;

	if (in_range(w, address))
		return 1;
	first = w->process.first_range % CHUNK_RANGES;
	chunk = element(&unwind_ranges, w->process.first_range / CHUNK_RANGES);
	if (!chunk)
		return 0;
	for (__u64 half = CHUNK_RANGES / 2; half; half /= 2) {
		__u64 next = at + half;

		r = element(chunk, first + (next & less_mask(next, w->process.range_count)));
		if (!r)
			return 0;
		at += half & less_mask(next, w->process.range_count) & less_mask(r->start, address + 1);
	}
	r = element(chunk, first + at);
	if (!r || address - r->start >= r->end - r->start)
		return 0;
	w->range = *r;
	return 1;
}

/* Returns the number of the rule for an address, by the table that starts at an index block. */
static __always_inline __u64 search_table(__u64 index, __u64 relative)
{
	struct unwind_block *b = find_block(index);

	if (!b)
		return 0;
	b = find_block(index + 1 + find_row(b, relative));
	if (!b)
		return 0;
	return b->rule[find_row(b, relative)];
}

/* Sets w->known_rule for the frame, and w->has_tables. Returns 0 if the address is in no executable mapping. */
static __always_inline int find_rule(struct walk *w, __u64 address)
{
	struct known_rule *known;
	struct unwind_rule *rule;
	__u64 slot;

	w->known_rule = 0;
	if (!w->has_tables)
		return 1;
	if (!w->range.index && in_range(w, address))
		return 1;
	slot = (address ^ address >> 6 ^ address >> 12) & (KNOWN_RULES - 1);
	known = &w->known_rules[slot + 1];
	w->known_rule = slot + 1;
	if (known->address == address && known->span == w->process.span)
		return 1;
	if (!find_range(w, address)) {
		w->range.start = w->range.end = 0;
		w->known_rule = w->has_tables = 0;
		return !w->frames; /* the leaf may be in code mapped since the process was read */
	}
	if (!w->range.index) {
		w->known_rule = 0;
		return 1;
	}
	rule = element(&unwind_rules, search_table(w->range.index, (__u32)(address - w->range.bias)));
	if (!rule)
		return 1;
	known->address = address;
	known->span = w->process.span;
	known->rule = *rule;
	return 1;
}

/* The parts of a step from a frame to its caller. Each part names the next. */
enum step {
	STEP_BY_FRAME_POINTER,
	STEP_LOAD,  /* load the caller's pc and fp from pc_at and fp_at */
	STEP_MOVE,  /* the caller's registers are known */
	STEP_ENDED, /* the walk has ended */
	STEP_DONE,
};

static __always_inline enum step end_walk(struct walk *w, enum walk_end why)
{
	w->end = why;
	return STEP_ENDED;
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

static __always_inline enum step step_by_frame_pointer(struct walk *w)
{
	if (!w->fp)
		return end_walk(w, END_NO_CALLER);
	if (w->fp & 7)
		return end_walk(w, END_UNREADABLE);
	w->fp_at = w->fp;
	w->pc_at = w->fp + 8;
	w->next_sp = w->fp + 16;
	w->next_mark = BY_FRAME_POINTER;
	return STEP_LOAD;
}

static __always_inline enum step load_caller(struct walk *w)
{
	/* The frame pointer first: it is below the return address, and the window is read upwards. */
	if (w->fp_at && !stack_word(w, w->fp_at, &w->next_fp))
		return end_walk(w, END_UNREADABLE);
	if (w->pc_at && !stack_word(w, w->pc_at, &w->next_pc))
		return end_walk(w, END_UNREADABLE);
	if (w->next_mark) { /* by frame pointer */
		if (w->next_fp <= w->fp && w->next_fp && ++w->descents > MAX_DESCENTS)
			return end_walk(w, END_NOT_RISING);
	} else if (w->next_sp < w->sp || (w->next_sp == w->sp && !w->exact)) {
		/* A leaf whose return address is in a register may have nothing on the stack. */
		return end_walk(w, END_NOT_RISING);
	}
	return STEP_MOVE;
}

static __always_inline enum step move_to_caller(struct walk *w)
{
	__u64 pc = w->next_pc;

#if defined(__TARGET_ARCH_arm64)
	pc &= (1ULL << 48) - 1; /* removes the pointer authentication code */
#endif
	if (!pc)
		return end_walk(w, END_NO_CALLER);
	if (is_kernel_address(pc))
		return end_walk(w, END_UNMAPPED);
	w->pc = pc;
	w->sp = w->next_sp;
	w->fp = w->next_fp;
	w->mark = w->next_mark;
	w->exact = w->next_exact;
	return STEP_DONE;
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
static __always_inline enum step step_out_of_signal(struct walk *w)
{
	if (!read_stack(w, w->sp + SIGNAL_FP, &w->next_fp) || !read_stack(w, w->sp + SIGNAL_SP, &w->next_sp) ||
	    !read_stack(w, w->sp + SIGNAL_PC, &w->next_pc))
		return end_walk(w, END_UNREADABLE);
#if defined(__TARGET_ARCH_arm64)
	if (!read_stack(w, w->sp + SIGNAL_LR, &w->regs.r[REG_LR]))
		return end_walk(w, END_UNREADABLE);
#endif
	if (w->next_sp <= w->sp && ++w->descents > MAX_DESCENTS)
		return end_walk(w, END_NOT_RISING);
	w->next_mark = EXACT_ADDRESS;
	w->next_exact = 1;
	return STEP_MOVE;
}

/* Continues at the caller of a runtime function that left the goroutine's stack at next_sp, after pushing
 * `pushed` bytes there: on amd64 nothing or the frame pointer, on arm64 the frame record. */
static __always_inline enum step step_to_goroutine(struct walk *w, __s32 pushed)
{
#if defined(__TARGET_ARCH_x86)
	if (pushed && !read_stack(w, w->next_sp, &w->next_fp))
		return end_walk(w, END_UNREADABLE);
	w->next_sp += pushed;
	if (!read_stack(w, w->next_sp, &w->next_pc))
		return end_walk(w, END_UNREADABLE);
	w->next_sp += 8;
#elif defined(__TARGET_ARCH_arm64)
	if (!read_stack(w, w->next_sp - 8, &w->next_fp) || !read_stack(w, w->next_sp, &w->next_pc))
		return end_walk(w, END_UNREADABLE);
	w->next_sp += 16;
#endif
	return STEP_MOVE;
}

/* runtime.asmcgocall switched from the goroutine's stack to the thread's. It saved there the goroutine and the
 * distance of sp from the top of the goroutine's stack; if it was already on the thread's stack, zero and sp
 * (runtime/asm_amd64.s and asm_arm64.s). */
static __always_inline enum step step_out_of_cgocall(struct walk *w, __s32 offset, __s32 pushed)
{
	__u64 g = 0, depth = 0, top = 0; /* set: README.md, "Whole words on the stack" */

#if defined(__TARGET_ARCH_x86)
	if (!read_stack(w, w->sp + offset, &depth) || !read_stack(w, w->sp + offset + 8, &g))
		return end_walk(w, END_UNREADABLE);
#elif defined(__TARGET_ARCH_arm64)
	if (!read_stack(w, w->sp + offset, &g) || !read_stack(w, w->sp + offset + 8, &depth))
		return end_walk(w, END_UNREADABLE);
#endif
	w->next_sp = depth;
	if (w->copy_offset && g)
		return end_walk(w, END_NOT_DESCRIBED); /* g is in the sleeper's memory; only its stack was copied */
	if (g) {
		if (!read_word(g + G_STACK_HIGH, &top))
			return end_walk(w, END_UNREADABLE);
		w->next_sp = top - depth;
	}
	return step_to_goroutine(w, pushed);
}

/* runtime.systemstack switched from the goroutine's stack to the thread's. g.sched has the goroutine's sp. */
static __always_inline enum step step_out_of_systemstack(struct walk *w, __s32 pushed)
{
	__u64 low = 0, high = 0;

	if (!w->goroutine) /* unknown version of Go: skips systemstack's caller */
		return STEP_BY_FRAME_POINTER;
	if (!read_word(w->goroutine + G_STACK_LOW, &low) || !read_word(w->goroutine + G_STACK_HIGH, &high) ||
	    !read_word(w->goroutine + G_SCHED_SP, &w->next_sp))
		return end_walk(w, END_UNREADABLE);
	if (w->sp >= low && w->sp < high) /* before the switch, or after the switch back */
		w->next_sp = w->sp;
	return step_to_goroutine(w, pushed);
}

/* runtime.morestack was called at the entry of a function, to which it returns by g.sched. That function is
 * recorded in its place, as by runtime/pprof. */
static __always_inline enum step step_out_of_morestack(struct walk *w, __u64 *frame)
{
	__u64 sp = 0, pc = 0;

	if (!w->goroutine)
		return STEP_BY_FRAME_POINTER;
	if (!read_word(w->goroutine + G_SCHED_SP, &sp) || !read_word(w->goroutine + G_SCHED_PC, &pc) ||
	    !read_word(w->goroutine + w->process.go.sched_bp, &w->next_fp))
		return end_walk(w, END_UNREADABLE);
	*frame = pc;
#if defined(__TARGET_ARCH_x86)
	if (!read_stack(w, sp, &w->next_pc))
		return end_walk(w, END_UNREADABLE);
	w->next_sp = sp + 8;
#elif defined(__TARGET_ARCH_arm64)
	if (!read_word(w->goroutine + w->process.go.sched_lr, &w->next_pc))
		return end_walk(w, END_UNREADABLE);
	w->next_sp = sp;
#endif
	return STEP_MOVE;
}

/* Finds the caller that a rule of the unwind table describes. */
static __always_inline enum step step_by_rule(struct walk *w, struct unwind_rule *rule, __u64 *frame)
{
	__u64 cfa = 0;

	switch (rule->cfa) {
	case CFA_FRAME_POINTER:
		return STEP_BY_FRAME_POINTER;
	case CFA_REGISTER:
	case CFA_DEREFERENCE:
		if (!frame_register(w, rule->cfa_register, &cfa))
			return end_walk(w, END_NOT_DESCRIBED);
		cfa += rule->cfa_offset;
		if (rule->cfa == CFA_DEREFERENCE) {
			if (!read_stack(w, cfa, &cfa))
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
	if (rule->fp == SAVED_REGISTER) {
		if (!frame_register(w, rule->fp_offset, &w->next_fp))
			return end_walk(w, END_NOT_DESCRIBED);
	} else if (rule->fp != SAVED_SAME) {
		w->fp_at = (rule->fp == SAVED_AT_CFA ? cfa : w->fp) + rule->fp_offset;
	}
	if (rule->ra == SAVED_AT_CFA) {
		w->pc_at = cfa + rule->ra_offset;
	} else if (rule->ra == SAVED_REGISTER) {
		if (!frame_register(w, rule->ra_offset, &w->next_pc))
			return end_walk(w, END_NOT_DESCRIBED);
#if defined(__TARGET_ARCH_arm64)
	} else if (rule->ra == SAVED_SAME && w->exact) {
		w->next_pc = w->regs.r[REG_LR];
#endif
	} else {
		return end_walk(w, END_NOT_DESCRIBED);
	}
	w->next_sp = cfa;
	return STEP_LOAD;
}

/* Records the frame and moves the walk to its caller. Returns 1 if the walk ended. */
static __always_inline int walk_frame(struct walk *w, __u64 *stack)
{
	struct unwind_rule *rule;
	enum step step;

	if (w->frames >= MAX_USER_WORDS)
		return end_walk(w, END_TRUNCATED);
	if (!find_rule(w, w->exact ? w->pc : w->pc - 1)) /* in the call, which may end its function */
		return end_walk(w, END_UNMAPPED);
	__u64 known = w->known_rule;
	asm volatile("" : "+r"(known)); /* README.md, "Bounds next to their use" */
	if (known > KNOWN_RULES) /* never true */
		return end_walk(w, END_NOT_DESCRIBED);
	rule = &w->known_rules[known].rule;
	if (rule->cfa == CFA_SIGNAL)
		w->mark = EXACT_ADDRESS;
	__u64 n = w->frames;
	w->frames = n + 1;
	asm volatile("" : "+r"(n)); /* README.md, "Bounds next to their use" */
	__u64 *frame = &stack[n & (MAX_USER_WORDS - 1)];
	*frame = w->pc | w->mark;
	w->next_pc = 0;
	w->next_fp = w->fp;
	w->next_mark = 0;
	w->next_exact = 0;
	w->pc_at = w->fp_at = 0;
	step = step_by_rule(w, rule, frame);
	if (step == STEP_BY_FRAME_POINTER)
		step = step_by_frame_pointer(w);
	if (step == STEP_LOAD)
		step = load_caller(w);
	if (step == STEP_MOVE)
		step = move_to_caller(w);
	return step == STEP_ENDED;
}
