/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Unwind tables: how to find the caller at each address of an object. User space makes them, from
 * .eh_frame and from what Go's function table says of assembly, and loads them per object; ranges of
 * a process's addresses lead to them. Memory is taken in chunks as objects come.
 */
#pragma once
#include "target.h"

#define BLOCK_ROWS 512    /* a power of two: searched in 9 steps */
#define CHUNK_BLOCKS 256  /* blocks allocated at once: 768 KiB */
#define MAX_CHUNKS 24     /* 18 MiB: 3 million rows */
#define MAX_RULES 8192    /* distinct rules of all objects; libLLVM alone has 586 */
#define MAX_RANGES 16384  /* executable mappings of all processes that differ */
#define MAX_PROCESSES 8192

/* How a frame's CFA (canonical frame address: the stack pointer before the call, DWARF 5, 6.4) is found. */
enum cfa_kind {
	CFA_FRAME_POINTER,   /* there is no row here: the code is taken to keep frame pointers */
	CFA_REGISTER,        /* register + offset */
	CFA_DEREFERENCE,     /* the word at register + offset, + add */
	CFA_PLT,             /* sp + 8, and 8 more from the given byte of a 16-byte PLT entry on */
	CFA_SIGNAL,          /* the stack pointer is at a signal frame with all registers */
	CFA_ROOT,            /* a thread begins here */
	CFA_GO_CGOCALL,      /* runtime.asmcgocall: the goroutine's stack is noted at sp + offset */
	CFA_GO_SYSTEMSTACK,  /* runtime.systemstack: the goroutine's stack is noted in g.sched */
	CFA_GO_MORESTACK,    /* runtime.morestack: likewise, as at the entry of the function that wanted more */
	CFA_UNKNOWN,         /* described in a way that is not understood here */
};

/* Where the return address or the caller's frame pointer is. */
enum saved_kind {
	SAVED_SAME,     /* not saved: the frame pointer is the caller's; the return address in the link register */
	SAVED_AT_CFA,   /* the word at CFA + offset */
	SAVED_AT_FP,    /* the word at the frame pointer + offset */
	SAVED_REGISTER, /* in the register of that number; known of a leaf only */
};

struct unwind_rule {
	__u8 cfa;          /* enum cfa_kind */
	__u8 cfa_register; /* DWARF's number */
	__u8 ra;           /* enum saved_kind, of the return address */
	__u8 fp;           /* enum saved_kind, of the caller's frame pointer */
	__s32 cfa_offset;
	__s32 cfa_add;
	__s32 ra_offset;
	__s32 fp_offset;
};

/* A row holds from its address to the next one's. Rows are sorted; those not used have the highest
 * address. An index block has the first addresses of the data blocks that follow it. */
struct unwind_block {
	__u32 address[BLOCK_ROWS]; /* relative to the range's bias */
	__u16 rule[BLOCK_ROWS];
};

/* What of a process's addresses a table describes. Ranges do not overlap. */
struct unwind_range {
	__u64 start, end;
	__u64 bias;  /* subtracted from an address gives the table's own */
	__u32 index; /* number of the index block; 0: the code keeps frame pointers */
	__u32 pad;
};

/* Offsets in Go's runtime that differ between versions; all zero for other programs. */
struct go_layout {
	__s32 tls_offset;     /* of the g of a thread, from its thread pointer; 0 if unknown */
	__u16 m_curg;         /* m.curg */
	__u16 m_gsignal;      /* m.gsignal */
	__u16 g_labels;       /* g.labels */
	__u16 sched_lr;       /* g.sched.lr */
	__u16 sched_bp;       /* g.sched.bp */
	__u16 labels_are_map; /* and no slice */
};

/* A process with its ranges, sorted by address, as they were when this program was executed. */
struct unwind_process {
	__u64 started; /* with execs: see program_of */
	__u32 execs;
	__u32 first_range;   /* in the map of ranges */
	__u32 range_count;
	__u32 pad;
	struct go_layout go;
};

const struct unwind_rule *unused_rule __attribute__((unused));
const struct unwind_block *unused_block __attribute__((unused));
const struct unwind_range *unused_range __attribute__((unused));
const struct go_layout *unused_go_layout __attribute__((unused));
const struct unwind_process *unused_process __attribute__((unused));
const enum cfa_kind *unused_cfa_kind __attribute__((unused));
const enum saved_kind *unused_saved_kind __attribute__((unused));

struct chunk {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CHUNK_BLOCKS);
	__type(key, __u32);
	__type(value, struct unwind_block);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_CHUNKS);
	__type(key, __u32);
	__array(values, struct chunk);
} unwind_chunks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_RULES);
	__type(key, __u32);
	__type(value, struct unwind_rule);
} unwind_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_RANGES);
	__type(key, __u32);
	__type(value, struct unwind_range);
} unwind_ranges SEC(".maps");

/* By the PID in the kernel's first PID namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, __u32);
	__type(value, struct unwind_process);
} unwind_processes SEC(".maps");

/* The searches below have no branch that depends on what they find: the verifier would follow each
 * of them through the rest of the program. less_mask() is all ones if a < b, else zero; both are under 2^63. */
static __always_inline __u64 less_mask(__u64 a, __u64 b)
{
	__s64 difference = (__s64)(a - b);

	asm volatile("" : "+r"(difference)); /* else clang makes a branch of it */
	return (__u64)(difference >> 63);
}

static __always_inline struct unwind_block *find_block(__u32 number)
{
	__u32 chunk = number / CHUNK_BLOCKS, in_chunk = number % CHUNK_BLOCKS;
	void *inner = bpf_map_lookup_elem(&unwind_chunks, &chunk);

	return inner ? bpf_map_lookup_elem(inner, &in_chunk) : 0;
}

/* Gives the place of the last row that begins at the address or before; 0 if there is none. */
static __always_inline __u32 find_row(struct unwind_block *b, __u32 address)
{
	__u64 at = 0;

	for (__u32 half = BLOCK_ROWS / 2; half; half /= 2) {
		__u64 next = (at + half) & (BLOCK_ROWS - 1);

		at += half & less_mask(b->address[next], (__u64)address + 1);
		asm volatile("" : "+r"(at)); /* else clang makes an OR of it, whose result 6.1's verifier takes for any */
	}
	return at & (BLOCK_ROWS - 1);
}
