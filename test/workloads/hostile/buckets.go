//go:build linux

package main

import (
	"debug/elf"
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// bucket is runtime.bucket of a memory profile, with its stack and runtime.memRecord, as in Go 1.20
// to 1.27 (runtime/mprof.go).
type bucket struct {
	_, allnext            *bucket
	typ, hash, size, nstk uintptr
	stack                 [bucketDepth]uintptr
	active                [4]uintptr // allocations, frees, and their bytes
	_                     [3][4]uintptr
}

const (
	bucketDepth  = 32
	memoryBucket = 1 // runtime.memProfile
)

// forgeBuckets replaces the list of the runtime's memory profile by one of 99 MB. Its 230,000
// stacks have seven million different addresses.
func forgeBuckets() (uintptr, error) {
	head, err := address("runtime.mbuckets")
	if err != nil {
		return 0, err
	}
	text, err := address("runtime.text")
	if err != nil {
		return 0, err
	}
	runtime.MemProfile(nil, false) // the linker sets runtime.MemProfileRate to 0 in programs without this call
	debug.SetGCPercent(-1)         // at the end of each collection, the runtime goes through the list
	all := make([]bucket, 99e6/unsafe.Sizeof(bucket{}))
	for i := range all {
		b := &all[i]
		b.typ, b.size, b.nstk, b.active = memoryBucket, 64, bucketDepth, [4]uintptr{uintptr(i + 1), 0, uintptr(i+1) * 64, 0}
		for k := range b.stack {
			b.stack[k] = text + uintptr(i*bucketDepth+k)
		}
		b.hash = stackHash(b.stack[:], b.size)
		if i > 0 {
			b.allnext = &all[i-1]
		}
	}
	variable := *(***bucket)(unsafe.Pointer(&head))
	*variable = &all[len(all)-1]
	forged = append(forged, all)
	return mapAnonymous()
}

var forged [][]bucket // keeps them alive

// address returns the address of one of the program's own variables or functions. The program must
// have its symbol table.
func address(name string) (uintptr, error) {
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return 0, err
	}
	for _, s := range symbols {
		if s.Name == name {
			return uintptr(s.Value), nil
		}
	}
	return 0, fmt.Errorf("%s with %s has no symbol %s", "/proc/self/exe", runtime.Version(), name)
}

// stackHash returns the hash of a bucket, as runtime.stkbucket computes it.
func stackHash(stack []uintptr, size uintptr) (h uintptr) {
	mix := func(v uintptr) {
		h += v
		h += h << 10
		h ^= h >> 6
	}
	for _, pc := range stack {
		mix(pc)
	}
	mix(size)
	h += h << 3
	h ^= h >> 11
	return h
}
