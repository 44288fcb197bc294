//go:build ignore

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Names kernel addresses. User space fills the batch, runs the program and reads the names. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SYMBOL_BATCH_SIZE 64
#define SYMBOL_NAME_BYTES 256 /* longer names are cut */

struct symbol_batch {
	__u64 addresses[SYMBOL_BATCH_SIZE];
	__u8 names[SYMBOL_BATCH_SIZE][SYMBOL_NAME_BYTES]; /* "function", "function [module]" or "0xaddress" */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct symbol_batch);
} symbol_batches SEC(".maps");

SEC("raw_tp")
int name_symbols(void *ctx)
{
	__u32 zero = 0;
	struct symbol_batch *batch = bpf_map_lookup_elem(&symbol_batches, &zero);

	if (!batch)
		return 0;
	for (int i = 0; i < SYMBOL_BATCH_SIZE; i++) {
		__u64 address = batch->addresses[i];

		if (!address)
			break;
		/* The kernel's own format: Documentation/core-api/printk-formats.rst, "Symbols/Function Pointers". */
		BPF_SNPRINTF((char *)batch->names[i], SYMBOL_NAME_BYTES, "%ps", address);
	}
	return 0;
}
