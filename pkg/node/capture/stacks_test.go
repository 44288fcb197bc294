//go:build linux

package capture

import (
	"slices"
	"testing"
)

func TestStacksAreCountedByIdentity(t *testing.T) {
	one, two := &generation{id: 1}, &generation{id: 2}
	samples := []struct {
		name  string
		of    *generation
		s     sample
		count int64 // of its stack in the end
	}{
		{"first", one, sample{user: []uint64{1, 2}}, 2},
		{"same again", one, sample{user: []uint64{1, 2}}, 2},
		{"same addresses in another process", two, sample{user: []uint64{1, 2}}, 1},
		{"deeper", one, sample{user: []uint64{1, 2, 3}}, 1},
		{"one frame in the kernel", one, sample{kernel: []uint64{1}, user: []uint64{2}}, 1},
		{"all frames in the kernel", one, sample{kernel: []uint64{1, 2}}, 1},
		{"no frames", one, sample{}, 1},
	}
	table := newStackTable()
	for _, c := range samples {
		if !addOne(table, c.of, c.s.kernel, c.s.user, complete, "", nil, 0) {
			t.Fatalf("%s: not kept", c.name)
		}
	}
	entries := table.sorted()
	for _, c := range samples {
		i := slices.IndexFunc(entries, func(e *stackEntry) bool {
			return e.generation == c.of && slices.Equal(e.kernel, c.s.kernel) && slices.Equal(e.user, c.s.user)
		})
		if i < 0 || entries[i].total.count != c.count {
			t.Errorf("%s: entry %d of %d, want a count of %d", c.name, i, len(entries), c.count)
		}
	}
	if want := len(samples) - 1; len(entries) != want {
		t.Errorf("%d distinct stacks, want %d", len(entries), want)
	}
}

// A target that makes ever new stacks does not make us use ever more memory, and nothing of it is
// lost without being counted.
func TestStackTableIsBounded(t *testing.T) {
	table, g := newStackTable(), &generation{id: 1}
	const samples = 10_000
	kept := uint64(0)
	for i := range samples {
		user := make([]uint64, 1024)
		user[0] = uint64(i)
		if addOne(table, g, nil, user, complete, "", nil, 0) {
			kept++
		}
	}
	if kept == 0 || kept == samples || kept+table.dropped != samples {
		t.Errorf("%d of %d stacks were kept and %d dropped", kept, samples, table.dropped)
	}
	if table.bytes > maxStackBytes {
		t.Errorf("%d bytes are used, the limit is %d", table.bytes, maxStackBytes)
	}
	if !addOne(table, g, nil, make([]uint64, 1024), complete, "", nil, 0) {
		t.Error("a stack that is known was refused when the table was full")
	}
}

// addOne adds a sample; it gives false if the table is full.
func addOne(t *stackTable, g *generation, kernel, user []uint64, end stackEnd, group string, labels []label, at uint64) bool {
	e := t.find(g, kernel, user, end, group, labels)
	if e != nil {
		t.add(e, amount{1, 1}, at)
	}
	return e != nil
}
