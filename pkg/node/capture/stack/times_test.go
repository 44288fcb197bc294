//go:build linux

package stack

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
)

// For any number of samples and stacks, no sample is lost, the number of buckets is bounded, and each sample is in
// the bucket of its time.
func TestTimes(t *testing.T) {
	for name, tc := range map[string]struct {
		stacks, samples int
		length          time.Duration
		width           time.Duration // final width of a bucket
	}{
		"half a minute":       {20, 3000, 30 * time.Second, TimeWidth},
		"an hour":             {20, 300_000, time.Hour, 10240 * time.Millisecond},
		"all stacks distinct": {60_000, 60_000, time.Minute, TimeWidth},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			table := NewTable()
			table.Times = &times{begin: 1e12, Width: TimeWidth}
			g := &process.Generation{ID: 1}
			for i := range tc.samples {
				at := 1e12 + uint64(tc.length)*uint64(i)/uint64(tc.samples)
				stack := []uint64{uint64(i)}
				if tc.stacks < tc.samples {
					stack[0] = random.Uint64N(uint64(tc.stacks))
				}
				if !addOne(table, g, nil, stack, Complete, "", nil, at) {
					t.Fatal("the table is full")
				}
			}
			buckets := 0
			for _, e := range table.entries {
				var sum int64
				last := -1
				for _, c := range e.Times {
					sum += int64(c.Count)
					if int(c.Bucket) <= last || time.Duration(c.Bucket)*table.Times.Width > tc.length {
						t.Fatalf("bucket %d of %v comes after %d", c.Bucket, table.Times.Width, last)
					}
					last = int(c.Bucket)
				}
				if sum != e.Total.Count {
					t.Fatalf("%d of %d samples are in buckets", sum, e.Total.Count)
				}
				buckets += len(e.Times)
			}
			if buckets != table.Times.kept || buckets > max(maxTimes, 2*len(table.entries)) {
				t.Errorf("%d buckets, counted as %d", buckets, table.Times.kept)
			}
			if table.Times.Width != tc.width {
				t.Errorf("buckets of %v, want %v", table.Times.Width, tc.width)
			}
		})
	}
}

// Samples of several CPUs arrive out of order.
func TestTimesOutOfOrder(t *testing.T) {
	table := NewTable()
	table.Times = &times{begin: 0, Width: TimeWidth}
	g := &process.Generation{ID: 1}
	for _, ms := range []uint64{5, 25, 15, 12, 0, 31} {
		addOne(table, g, nil, []uint64{1}, Complete, "", nil, ms*1e6)
	}
	got := map[uint32]uint32{}
	for _, e := range table.entries {
		for _, c := range e.Times {
			got[c.Bucket] += c.Count
		}
	}
	want := map[uint32]uint32{0: 2, 1: 2, 2: 1, 3: 1}
	for bucket, n := range want {
		if got[bucket] != n {
			t.Errorf("bucket %d has %d samples, want %d", bucket, got[bucket], n)
		}
	}
}
