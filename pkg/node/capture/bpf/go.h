/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Go's scheduler: finds the goroutine that runs on a thread, reads its labels, and supplies the offsets needed
 * to return from the thread's stack to the goroutine's. The layouts are those of runtime/runtime2.go. Offsets
 * that differ between versions come from user space (struct go_layout).
 */
#pragma once
#include "registers.h"
#include "tables.h"

/* The same in all versions from 1.18 to 1.27. */
#define G_STACK_LOW 0 /* g.stack.lo */
#define G_STACK_HIGH 8
#define G_M 48        /* g.m */
#define G_SCHED_SP 56 /* g.sched.sp */
#define G_SCHED_PC 64
#define M_G0 0 /* m.g0 */

/* The register that holds g in Go code (cmd/compile/abi-internal.md). On arm64 without cgo no other place has it. */
#if defined(__TARGET_ARCH_x86)
#define REG_G 14
#elif defined(__TARGET_ARCH_arm64)
#define REG_G 28
#endif

#define MAX_LABELS 8
#define MAX_LABEL_KEY 48   /* bytes */
#define MAX_LABEL_VALUE 80

static __always_inline int read_word(__u64 address, __u64 *out)
{
	return address && !bpf_probe_read_user(out, sizeof(*out), (void *)address);
}

/* Returns the base of the thread-local storage. */
static __always_inline __u64 thread_pointer(void)
{
	if (has_typed_task())
		return TYPED_THREAD_POINTER(bpf_get_current_task_btf());
	return PROBED_THREAD_POINTER((struct task_struct *)bpf_get_current_task());
}

/* Returns the goroutine that the thread runs (m.curg), or 0 if g is not one of the thread's: its current
 * goroutine, g0 or gsignal. */
static __always_inline __u64 goroutine_from_g(__u64 g, struct go_layout *go)
{
	__u64 m, g0, curg, gsignal;

	if (!read_word(g + G_M, &m) || !read_word(m + go->m_curg, &curg))
		return 0;
	if (g == curg || (read_word(m + M_G0, &g0) && g == g0) || (read_word(m + go->m_gsignal, &gsignal) && g == gsignal))
		return curg;
	return 0;
}

/* Returns 0 if the thread runs no goroutine, as in the scheduler, or if it cannot be found. */
static __always_inline __u64 find_goroutine(struct user_registers *regs, struct go_layout *go)
{
	__u64 g, curg;

	if (go->tls_offset && read_word(thread_pointer() + go->tls_offset, &g)) {
		curg = goroutine_from_g(g, go);
		if (curg)
			return curg;
	}
	return goroutine_from_g(regs->r[REG_G], go);
}

/* A label of runtime/pprof. A string that could not be read here, because its page is not in memory yet (as
 * with constants), has an address instead, for user space to read it. */
struct label {
	__u64 key_address, value_address; /* 0: the string is below */
	__u32 key_length, value_length;   /* bytes, before the string was cut to its array */
	char key[MAX_LABEL_KEY];
	char value[MAX_LABEL_VALUE];
};

/* A goroutine's labels. The record precedes the sample of the same thread and ends after label[count - 1]. */
struct label_record {
	__u32 kind;       /* RECORD_LABELS */
	__u32 tid;        /* as in the sample */
	__u32 pid;        /* as in the sample */
	__u32 count;
	__u32 incomplete; /* the goroutine has more labels than were read */
	struct label label[MAX_LABELS];
};

struct go_string {
	__u64 data, length;
};

static __always_inline void read_label(struct label *out, struct go_string *key, struct go_string *value)
{
	__u32 k = key->length < MAX_LABEL_KEY ? key->length : MAX_LABEL_KEY;
	__u32 v = value->length < MAX_LABEL_VALUE ? value->length : MAX_LABEL_VALUE;

	out->key_length = key->length;
	out->value_length = value->length;
	asm volatile("" : "+r"(k));
	if (k > MAX_LABEL_KEY)
		k = MAX_LABEL_KEY;
	out->key_address = k && bpf_probe_read_user(out->key, k, (void *)key->data) ? key->data : 0;
	asm volatile("" : "+r"(v));
	if (v > MAX_LABEL_VALUE)
		v = MAX_LABEL_VALUE;
	out->value_address = v && bpf_probe_read_user(out->value, v, (void *)value->data) ? value->data : 0;
}

/* Since Go 1.24, g.labels points to a slice of pairs of strings (runtime/pprof/label.go). */
static __always_inline void read_label_slice(struct label_record *out, __u64 labels)
{
	struct go_string header; /* a slice starts with the same two words as a string */
	struct {
		struct go_string key, value;
	} pair;

	if (bpf_probe_read_user(&header, sizeof(header), (void *)labels))
		return;
	out->incomplete = header.length > MAX_LABELS;
	for (__u32 i = 0; i < MAX_LABELS && i < header.length; i++) {
		if (bpf_probe_read_user(&pair, sizeof(pair), (void *)(header.data + i * sizeof(pair))))
			return;
		read_label(&out->label[i], &pair.key, &pair.value);
		out->count = i + 1;
	}
}

/* Up to Go 1.23, g.labels points to a map of strings (runtime/map.go). With up to 8 entries it is one bucket. */
#define HMAP_B 9
#define HMAP_BUCKETS 16
#define BUCKET_KEYS 8
#define BUCKET_VALUES (BUCKET_KEYS + 8 * 16)
#define MIN_TOP_HASH 5

static __always_inline void read_label_map(struct label_record *out, __u64 labels)
{
	__u64 map, bucket;
	struct go_string key, value;
	__u8 log2_buckets, top[8];

	if (!read_word(labels, &map) || !read_word(map + HMAP_BUCKETS, &bucket) ||
	    bpf_probe_read_user(&log2_buckets, 1, (void *)(map + HMAP_B)))
		return;
	out->incomplete = log2_buckets != 0;
	if (log2_buckets || bpf_probe_read_user(top, sizeof(top), (void *)bucket))
		return;
	for (__u32 i = 0; i < 8; i++) {
		if (top[i] < MIN_TOP_HASH) /* free, and so is the rest: label maps are never deleted from */
			return;
		if (bpf_probe_read_user(&key, sizeof(key), (void *)(bucket + BUCKET_KEYS + 16 * i)) ||
		    bpf_probe_read_user(&value, sizeof(value), (void *)(bucket + BUCKET_VALUES + 16 * i)))
			return;
		read_label(&out->label[i & (MAX_LABELS - 1)], &key, &value);
		out->count = i + 1;
	}
}

static __always_inline void read_labels(struct label_record *out, __u64 goroutine, struct go_layout *go)
{
	__u64 labels;

	out->count = out->incomplete = 0;
	if (!go->g_labels || !read_word(goroutine + go->g_labels, &labels) || !labels)
		return;
	if (go->labels_are_map)
		read_label_map(out, labels);
	else
		read_label_slice(out, labels);
}
