/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Unwind tables: how to find the caller of each address of an object. User space compiles them from
 * .eh_frame and, for Go's assembly, from the function table, and loads one per object. A process's ranges
 * map its addresses to the tables. Memory is allocated in chunks, as objects appear.
 */
#pragma once
#include "target.h"

#define BLOCK_ROWS 512    /* a power of two: 9 steps of binary search */
#define CHUNK_BLOCKS 256  /* blocks per allocation: 768 KiB */
#define MAX_CHUNKS 32     /* 24 MiB: 4 million rows */
#define MAX_RULES 8192    /* distinct rules of all objects; libLLVM has 586 */
#define CHUNK_RANGES 16384   /* ranges per allocation: 512 KiB; a process has at most this many */
#define MAX_RANGE_CHUNKS 8   /* 4 MiB: 131,072 distinct executable mappings of all processes */
#define MAX_PROCESSES 8192

/* How to compute a frame's CFA (canonical frame address: the stack pointer before the call, DWARF 5, 6.4).
 * Fields named here are those of struct unwind_rule. */
enum cfa_kind {
	CFA_FRAME_POINTER,   /* the table has no row: assume that the code keeps frame pointers */
	CFA_REGISTER,        /* cfa_register + cfa_offset */
	CFA_DEREFERENCE,     /* the word at cfa_register + cfa_offset, plus cfa_add */
	CFA_PLT,             /* sp + 8; sp + 16 from byte cfa_add of a 16-byte PLT entry on */
	CFA_SIGNAL,          /* the stack pointer is at a signal frame, which has all registers */
	CFA_ROOT,            /* the first function of a thread: no caller */
	CFA_GO_CGOCALL,      /* runtime.asmcgocall: sp + cfa_offset has the goroutine's stack */
	CFA_GO_SYSTEMSTACK,  /* runtime.systemstack: g.sched has the goroutine's stack */
	CFA_GO_MORESTACK,    /* runtime.morestack: g.sched has it, as at the entry of the function that called */
	CFA_UNKNOWN,         /* a DWARF expression that is not supported */
};

/* Where the return address or the caller's frame pointer is saved. */
enum saved_kind {
	SAVED_SAME,     /* not saved: the frame pointer is unchanged, the return address is in the link register */
	SAVED_AT_CFA,   /* the word at CFA + offset */
	SAVED_AT_FP,    /* the word at the frame pointer + offset */
	SAVED_REGISTER, /* the register numbered offset; its value is known in a leaf only */
};

struct unwind_rule {
	__u8 cfa;          /* enum cfa_kind */
	__u8 cfa_register; /* DWARF register number */
	__u8 ra;           /* enum saved_kind, of the return address */
	__u8 fp;           /* enum saved_kind, of the caller's frame pointer */
	__s32 cfa_offset;
	__s32 cfa_add;
	__s32 ra_offset;
	__s32 fp_offset;
};

/* A row applies from its address up to the next row's. Rows are sorted; unused ones have the highest
 * address. The rows of an index block are the first addresses of the data blocks that follow it. */
struct unwind_block {
	__u32 address[BLOCK_ROWS]; /* relative to the range's bias */
	__u16 rule[BLOCK_ROWS];    /* index into unwind_rules */
};

/* The table for a range of a process's addresses. Ranges are sorted and do not overlap. */
struct unwind_range {
	__u64 start, end;
	__u64 bias;  /* address in the process minus address in the table */
	__u32 index; /* number of the index block; 0: no table, the code keeps frame pointers */
	__u32 pad;
};

/* Offsets in Go's runtime that differ between versions; all zero in other programs. */
struct go_layout {
	__s32 tls_offset;     /* of the thread's g, from the thread pointer; 0: unknown */
	__u16 m_curg;         /* m.curg */
	__u16 m_gsignal;      /* m.gsignal */
	__u16 g_labels;       /* g.labels */
	__u16 sched_lr;       /* g.sched.lr */
	__u16 sched_bp;       /* g.sched.bp */
	__u16 labels_are_map; /* before Go 1.24; else a slice */
};

/* A process and its ranges. Valid only while started and execs match (struct process_identity). */
struct unwind_process {
	__u64 started;
	__u32 execs;
	__u32 first_range; /* number of its first range; all are in one chunk */
	__u32 range_count;
	__u32 span;    /* identifies the ranges: the same in processes that share them, and never reused */
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

struct range_chunk {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CHUNK_RANGES);
	__type(key, __u32);
	__type(value, struct unwind_range);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_RANGE_CHUNKS);
	__type(key, __u32);
	__array(values, struct range_chunk);
} unwind_ranges SEC(".maps");

/* Key: the process's PID in the initial PID namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, __u32);
	__type(value, struct unwind_process);
} unwind_processes SEC(".maps");

/* The number of changes of unwind_processes so far. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} unwind_changes SEC(".maps");

/* Returns all ones if a < b, else zero. Both must be below 2^63. Searches use it instead of branches
 * (README.md, "Masks instead of branches"). */
static __always_inline __u64 less_mask(__u64 a, __u64 b)
{
	__s64 difference = (__s64)(a - b);

	asm volatile("" : "+r"(difference)); /* keeps clang from turning the shift into a branch */
	return (__u64)(difference >> 63);
}

/* Looks up an element of an array. The key has 8 bytes of the stack (README.md, "Whole words on the stack"). */
static __always_inline void *element(void *array, __u64 index)
{
	return bpf_map_lookup_elem(array, &index);
}

static __always_inline struct unwind_block *find_block(__u64 number)
{
	void *chunk = element(&unwind_chunks, number / CHUNK_BLOCKS);

	return chunk ? element(chunk, number % CHUNK_BLOCKS) : 0;
}

/* Returns the index of the last row whose address is at most the given one; 0 if there is none. */
static __always_inline __u64 find_row(struct unwind_block *b, __u64 address)
{
	__u64 at = 0;

	for (__u64 half = BLOCK_ROWS / 2; half; half /= 2) {
		__u64 next = (at + half) & (BLOCK_ROWS - 1);

		at += half & less_mask(b->address[next], address + 1);
		asm volatile("" : "+r"(at)); /* keeps clang from using OR (README.md, "OR of unknown scalars") */
	}
	return at & (BLOCK_ROWS - 1);
}
