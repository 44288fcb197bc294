//go:build linux

package stack

import (
	"slices"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

func TestStacksAreCountedByIdentity(t *testing.T) {
	one, two := &process.Generation{ID: 1}, &process.Generation{ID: 2}
	samples := []struct {
		name    string
		process *process.Generation
		s       record.Sample
		count   int64 // expected total of its stack
	}{
		{"first", one, record.Sample{User: []uint64{1, 2}}, 2},
		{"same stack again", one, record.Sample{User: []uint64{1, 2}}, 2},
		{"same addresses in another process", two, record.Sample{User: []uint64{1, 2}}, 1},
		{"deeper", one, record.Sample{User: []uint64{1, 2, 3}}, 1},
		{"runtime frame", one, record.Sample{User: record.Stack{1}.Append(record.RuntimeFrame, 2, [2]uint64{3, 4})}, 1},
		{"runtime frame with another payload", one, record.Sample{User: record.Stack{1}.Append(record.RuntimeFrame, 2, [2]uint64{3, 5})}, 1},
		{"one frame in the kernel", one, record.Sample{Kernel: []uint64{1}, User: []uint64{2}}, 1},
		{"all frames in the kernel", one, record.Sample{Kernel: []uint64{1, 2}}, 1},
		{"no frames", one, record.Sample{}, 1},
	}
	table := NewTable()
	for _, c := range samples {
		if !addOne(table, c.process, c.s.Kernel, c.s.User, Complete, "", nil, 0) {
			t.Fatalf("%s: not kept", c.name)
		}
	}
	entries := table.Sorted()
	for _, c := range samples {
		i := slices.IndexFunc(entries, func(e *Entry) bool {
			return e.Generation == c.process && slices.Equal(e.Kernel, c.s.Kernel) && slices.Equal(e.User, c.s.User)
		})
		if i < 0 || entries[i].Total.Count != c.count {
			t.Errorf("%s: entry %d of %d, want a count of %d", c.name, i, len(entries), c.count)
		}
	}
	if want := len(samples) - 1; len(entries) != want {
		t.Errorf("%d distinct stacks, want %d", len(entries), want)
	}
}

// A target with an unlimited number of distinct stacks takes a bounded amount of our memory, and every lost
// sample is counted.
func TestStackTableIsBounded(t *testing.T) {
	table, g := NewTable(), &process.Generation{ID: 1}
	const samples = 10_000
	kept := uint64(0)
	for i := range samples {
		user := make([]uint64, 1024)
		user[0] = uint64(i)
		if addOne(table, g, nil, user, Complete, "", nil, 0) {
			kept++
		}
	}
	if kept == 0 || kept == samples || kept+table.Dropped != samples {
		t.Errorf("%d of %d stacks were kept and %d dropped", kept, samples, table.Dropped)
	}
	if table.bytes > maxStackBytes {
		t.Errorf("%d bytes are used, the limit is %d", table.bytes, maxStackBytes)
	}
	if !addOne(table, g, nil, make([]uint64, 1024), Complete, "", nil, 0) {
		t.Error("a known stack was refused because the table is full")
	}
}

// A full table has room again after Free, and still has the counts.
func TestFreeKeepsTheCounts(t *testing.T) {
	table, g := NewTable(), &process.Generation{ID: 1}
	table.bytes = maxStackBytes - 1000
	add := func(address uint64) bool {
		return addOne(table, g, nil, []uint64{address}, Broken, "", nil, 0)
	}
	kept := int64(0)
	for add(uint64(kept)) {
		kept++
	}
	table.Free()
	if len(table.Sorted()) != 0 || len(table.Changed) != 0 || table.EndCounts[Broken] != kept || table.Dropped != 1 || !add(1) {
		t.Errorf("after Free: %d stacks, %d changed, %d of %d counted, %d dropped", len(table.Sorted()), len(table.Changed), table.EndCounts[Broken], kept, table.Dropped)
	}
}

// addOne adds a sample. It returns false if the table is full.
func addOne(t *Table, g *process.Generation, kernel []uint64, user record.Stack, end End, group string, labels []record.Label, at uint64) bool {
	e := t.FindOrAdd(g, kernel, user, end, group, labels)
	if e != nil {
		t.Add(e, Amount{1, 1}, at)
	}
	return e != nil
}
