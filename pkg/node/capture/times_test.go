//go:build linux

package capture

import (
	"math/rand/v2"
	"testing"
	"time"
)

// However many samples there are, of however many stacks: none is lost, buckets are few, and each sample is in the one
// of its time.
func TestTimes(t *testing.T) {
	for name, tc := range map[string]struct {
		stacks, samples int
		length          time.Duration
		width           time.Duration // of a bucket, in the end
	}{
		"half a minute":              {20, 3000, 30 * time.Second, timeWidth},
		"an hour":                    {20, 300_000, time.Hour, 10240 * time.Millisecond},
		"no two stacks are the same": {60_000, 60_000, time.Minute, timeWidth},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			table := newStackTable()
			table.times = &times{begin: 1e12, width: timeWidth}
			g := &generation{id: 1}
			for i := range tc.samples {
				at := 1e12 + uint64(tc.length)*uint64(i)/uint64(tc.samples)
				stack := []uint64{uint64(i)}
				if tc.stacks < tc.samples {
					stack[0] = random.Uint64N(uint64(tc.stacks))
				}
				if !addOne(table, g, nil, stack, complete, "", nil, at) {
					t.Fatal("the table is full")
				}
			}
			buckets := 0
			for _, e := range table.entries {
				var sum int64
				last := -1
				for _, c := range e.times {
					sum += int64(c.count)
					if int(c.bucket) <= last || time.Duration(c.bucket)*table.times.width > tc.length {
						t.Fatalf("bucket %d of %v comes after %d", c.bucket, table.times.width, last)
					}
					last = int(c.bucket)
				}
				if sum != e.total.count {
					t.Fatalf("%d samples are in buckets, of %d", sum, e.total.count)
				}
				buckets += len(e.times)
			}
			if buckets != table.times.kept || buckets > max(maxTimes, 2*len(table.entries)) {
				t.Errorf("%d buckets, counted as %d", buckets, table.times.kept)
			}
			if table.times.width != tc.width {
				t.Errorf("buckets of %v, want %v", table.times.width, tc.width)
			}
		})
	}
}

// Samples of several CPUs do not come in the order of their times.
func TestTimesOutOfOrder(t *testing.T) {
	table := newStackTable()
	table.times = &times{begin: 0, width: timeWidth}
	g := &generation{id: 1}
	for _, ms := range []uint64{5, 25, 15, 12, 0, 31} {
		addOne(table, g, nil, []uint64{1}, complete, "", nil, ms*1e6)
	}
	got := map[uint32]uint32{}
	for _, e := range table.entries {
		for _, c := range e.times {
			got[c.bucket] += c.count
		}
	}
	want := map[uint32]uint32{0: 2, 1: 2, 2: 1, 3: 1}
	for bucket, n := range want {
		if got[bucket] != n {
			t.Errorf("bucket %d has %d samples, want %d", bucket, got[bucket], n)
		}
	}
}
