//go:build linux

package stack

import (
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
)

// When samples were taken is kept in buckets of timeWidth. They are widened where there would be more than maxTimes,
// and more than two for each stack: each bucket of each stack is a sample of the profile, of some 500 bytes.
const (
	TimeWidth = 10 * time.Millisecond
	maxTimes  = 1 << 13
)

// TimeCount is how often a stack was sampled in a bucket.
type TimeCount struct{ Bucket, Count uint32 }

// times tells buckets; nil where they are not wanted.
type times struct {
	begin uint64        // of the first bucket, in ns of CLOCK_MONOTONIC
	Width time.Duration // of a bucket
	kept  int           // timeCounts of all stacks
}

func NewTimes() *times { return &times{begin: kernel.Monotonic(), Width: TimeWidth} }

// Step is the width of a bucket.
func (t *times) Step() time.Duration {
	if t == nil {
		return 0
	}
	return t.Width
}

// count adds so many samples to a stack's buckets. Samples of different CPUs come in almost their order.
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

// widen doubles the width of buckets if there are too many of them: each time half of all, in the end one for each stack.
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

// merged halves the number of buckets.
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
