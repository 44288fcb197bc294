//go:build linux

package capture

import (
	"slices"
	"time"
)

// When samples were taken is kept in buckets of timeWidth. They are widened where there would be more than maxTimes,
// and more than two for each stack: each bucket of each stack is a sample of the profile, of some 500 bytes.
const (
	timeWidth = 10 * time.Millisecond
	maxTimes  = 1 << 13
)

// timeCount is how often a stack was sampled in a bucket.
type timeCount struct{ bucket, count uint32 }

// times tells buckets; nil where they are not wanted.
type times struct {
	begin uint64        // of the first bucket, in ns of CLOCK_MONOTONIC
	width time.Duration // of a bucket
	kept  int           // timeCounts of all stacks
}

func newTimes() *times { return &times{begin: monotonic(), width: timeWidth} }

// step is the width of a bucket.
func (t *times) step() time.Duration {
	if t == nil {
		return 0
	}
	return t.width
}

// count adds so many samples to a stack's buckets. Samples of different CPUs come in almost their order.
func (t *times) count(e *stackEntry, n uint32, at uint64) {
	if t == nil {
		return
	}
	bucket := uint32((max(at, t.begin) - t.begin) / uint64(t.width))
	for i := len(e.times) - 1; i >= 0 && e.times[i].bucket >= bucket; i-- {
		if e.times[i].bucket == bucket {
			e.times[i].count += n
			return
		}
	}
	e.times = append(e.times, timeCount{bucket, n})
	t.kept++
}

// widen doubles the width of buckets if there are too many of them: each time half of all, in the end one for each stack.
func (t *times) widen(entries map[string]*stackEntry) {
	if t == nil || t.kept <= max(maxTimes, 2*len(entries)) {
		return
	}
	t.width *= 2
	t.kept = 0
	for _, e := range entries {
		e.times = merged(e.times)
		t.kept += len(e.times)
	}
}

// merged halves the number of buckets.
func merged(all []timeCount) []timeCount {
	for i := range all {
		all[i].bucket /= 2
	}
	slices.SortFunc(all, func(a, b timeCount) int { return int(a.bucket) - int(b.bucket) })
	n := 0
	for _, c := range all {
		if n > 0 && all[n-1].bucket == c.bucket {
			all[n-1].count += c.count
		} else {
			all[n] = c
			n++
		}
	}
	return all[:n]
}
