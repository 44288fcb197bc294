//go:build linux

package stack

import (
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
)

// The times of samples are recorded in buckets of width TimeWidth. The width is doubled when there are more than
// maxTimes buckets and more than two per stack. Each bucket of each stack becomes a sample of the profile, which
// takes about 500 bytes.
const (
	TimeWidth = 10 * time.Millisecond
	maxTimes  = 1 << 13
)

// TimeCount is the number of samples of a stack in a time bucket.
type TimeCount struct{ Bucket, Count uint32 }

// times maps sample times to buckets. A nil times records nothing.
type times struct {
	begin uint64        // start of the first bucket, in ns of CLOCK_MONOTONIC
	Width time.Duration // width of a bucket
	kept  int           // number of TimeCounts of all stacks
}

// NewTimes returns times whose first bucket starts now.
func NewTimes() *times { return &times{begin: kernel.Monotonic(), Width: TimeWidth} }

// Step returns the width of a bucket, or 0 if times are not recorded.
func (t *times) Step() time.Duration {
	if t == nil {
		return 0
	}
	return t.Width
}

// count adds n samples to the bucket of a stack that contains time at. It searches from the end, because samples
// of different CPUs arrive almost in order.
func (t *times) count(e *Entry, n uint32, at uint64) {
	if t == nil {
		return
	}
	bucket := uint32((max(at, t.begin) - t.begin) / uint64(t.Width))
	for i := len(e.Times) - 1; i >= 0 && e.Times[i].Bucket >= bucket; i-- {
		if e.Times[i].Bucket == bucket {
			e.Times[i].Count += n
			return
		}
	}
	e.Times = append(e.Times, TimeCount{bucket, n})
	t.kept++
}

// widen doubles the width of the buckets if there are too many. The number of buckets converges to one per stack.
func (t *times) widen(entries map[string]*Entry) {
	if t == nil || t.kept <= max(maxTimes, 2*len(entries)) {
		return
	}
	t.Width *= 2
	t.kept = 0
	for _, e := range entries {
		e.Times = merged(e.Times)
		t.kept += len(e.Times)
	}
}

// merged merges pairs of adjacent buckets, in place.
func merged(all []TimeCount) []TimeCount {
	for i := range all {
		all[i].Bucket /= 2
	}
	slices.SortFunc(all, func(a, b TimeCount) int { return int(a.Bucket) - int(b.Bucket) })
	n := 0
	for _, c := range all {
		if n > 0 && all[n-1].Bucket == c.Bucket {
			all[n-1].Count += c.Count
		} else {
			all[n] = c
			n++
		}
	}
	return all[:n]
}
