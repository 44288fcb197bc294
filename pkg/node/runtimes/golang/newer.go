//go:build linux

package golang

import (
	"cmp"
	"fmt"
	"slices"
)

// A program of a version of Go that is newer than the newest known one is read with the newest known
// layout, if all that can be checked agrees with it. The checks of all programs apply: the hashes of
// buckets, the goroutine of runtime.main, sched.g and the bounds and status of each goroutine. Those in
// this file are for newer versions only.

// newestMinor returns the newest version of Go with a known layout.
func newestMinor() (newest int) {
	for minor := range layouts {
		newest = max(newest, minor)
	}
	return newest
}

// IsNewer reports whether the program's version of Go is newer than the newest known one.
func (r *Runtime) IsNewer() bool { return r.minor > newestMinor() }

// maxCheckedGoroutines bounds the goroutines of a newer version that are checked before reading.
const maxCheckedGoroutines = goroutinesPerBatch

// goroutinesToCheck returns how many entries of the list of goroutines must be valid before it is read.
func (r *Runtime) goroutinesToCheck() int {
	if r.IsNewer() {
		return maxCheckedGoroutines
	}
	return 8
}

// checkRecordSize checks that records of a number of words follow the stacks of the buckets. The
// runtime allocates buckets one after the other, with some other small objects in between
// (persistentalloc, runtime/malloc.go). If a bucket begins before the end of a record, records are
// smaller; if one begins just there, they are not larger.
func checkRecordSize(buckets []bucket, words int) error {
	sorted := slices.SortedFunc(slices.Values(buckets), func(a, b bucket) int { return cmp.Compare(a.address, b.address) })
	near, adjacent := false, false
	for i, b := range sorted[:max(len(sorted)-1, 0)] {
		end, next := b.record+8*uint64(words), sorted[i+1].address
		if next < end {
			return fmt.Errorf("%w: its records are smaller than those of Go 1.%d", ErrUnsupported, newestMinor())
		}
		near = near || next-end < bucketHeader // no other bucket lies between them
		adjacent = adjacent || next == end
	}
	if !adjacent && (near || len(sorted) >= 16) {
		return fmt.Errorf("%w: its records are larger than those of Go 1.%d", ErrUnsupported, newestMinor())
	}
	return nil
}
