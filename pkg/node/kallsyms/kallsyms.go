//go:build linux

// Package kallsyms finds the kernel functions at given addresses. A BPF program asks the kernel for
// them, which takes microseconds (Linux 5.13 or later). Where that is not possible /proc/kallsyms is
// read, which takes 20 to 100 ms. Its entry point is Find.
package kallsyms

import (
	"errors"
	"os"
	"slices"
)

// Symbol is a kernel function and its module, which is empty for the kernel itself.
type Symbol struct{ Name, Module string }

var errNoneListed = errors.New("/proc/kallsyms lists no function at the sampled addresses; it does not if the sysctl kernel.kptr_restrict hides them")

// Find returns the kernel functions of the addresses. Addresses without one are left out.
func Find(addresses []uint64) (map[uint64]Symbol, error) {
	addresses = slices.Clone(addresses)
	slices.Sort(addresses)
	addresses = slices.Compact(addresses)
	if len(addresses) > 0 && addresses[0] == 0 { // it would end a batch
		addresses = addresses[1:]
	}
	if found, err := ask(addresses); err == nil {
		return found, nil
	}
	return readList(addresses)
}

// readList finds the functions of the sorted addresses in /proc/kallsyms.
func readList(addresses []uint64) (map[uint64]Symbol, error) {
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found, err := parse(f, addresses)
	if err == nil && len(found) == 0 && len(addresses) > 0 {
		err = errNoneListed
	}
	return found, err
}
