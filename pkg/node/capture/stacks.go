//go:build linux

package capture

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// maxStackBytes bounds the memory of distinct stacks, which a target makes as it likes: deep
// recursion has stacks of 8 KiB. What comes beyond it is counted as lost.
const maxStackBytes = 32 << 20

// stackEntry is one distinct stack of one process.
type stackEntry struct {
	generation   *generation
	kernel, user []uint64 // addresses, leaf first; the user's are those of instructions
	end          stackEnd
	labels       []label
	total        amount
	times        []timeCount // nil if they are not kept
	sliced       amount      // of the total, what went into slices
	changed      bool        // since the last slice
	first        int         // order of arrival, so that a profile's order is stable
}

// amount is what a profile's two values are: how often, and how much.
type amount struct{ count, value int64 }

func (a amount) minus(b amount) amount { return amount{a.count - b.count, a.value - b.value} }

// stackTable adds up equal stacks.
type stackTable struct {
	entries map[string]*stackEntry
	bytes   int
	dropped uint64          // samples that were not kept
	changed []*stackEntry   // since the last slice
	ends    [torn + 1]int64 // stacks that came by how they end
	times   *times          // nil if it is not kept when samples were taken
	key     []byte
}

func newStackTable() *stackTable { return &stackTable{entries: map[string]*stackEntry{}} }

// find gives a stack's entry, nil if the table is full. Samples with other labels, of which group is a key, are
// other stacks.
func (t *stackTable) find(g *generation, kernel, user []uint64, end stackEnd, group string, labels []label) *stackEntry {
	t.key = append(t.key[:0], byte(end))
	t.key = append(t.key, group...)
	t.key = binary.NativeEndian.AppendUint32(t.key, uint32(g.id))
	t.key = binary.NativeEndian.AppendUint16(t.key, uint16(len(kernel)))
	for _, a := range kernel {
		t.key = binary.NativeEndian.AppendUint64(t.key, a)
	}
	for _, a := range user {
		t.key = binary.NativeEndian.AppendUint64(t.key, a)
	}
	if e := t.entries[string(t.key)]; e != nil { // the conversion allocates nothing here
		t.ends[end]++
		return e
	}
	size := 2*len(t.key) + 128
	if t.bytes+size > maxStackBytes {
		t.dropped++
		return nil
	}
	t.bytes += size
	e := &stackEntry{generation: g, kernel: kernel, user: user, end: end, labels: labels, first: len(t.entries)}
	t.entries[string(t.key)] = e
	t.ends[end]++
	return e
}

// add adds to a stack what came with a sample, which was taken at that time of CLOCK_MONOTONIC in ns.
func (t *stackTable) add(e *stackEntry, a amount, at uint64) {
	if !e.changed {
		e.changed = true
		t.changed = append(t.changed, e)
	}
	e.total.count += a.count
	e.total.value += a.value
	t.times.count(e, uint32(a.count), at)
	t.times.widen(t.entries)
}

func (t *stackTable) sorted() []*stackEntry {
	all := make([]*stackEntry, 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *stackEntry) int { return cmp.Compare(a.first, b.first) })
	return all
}
