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
	count        int64
	times        []timeCount // nil if they are not kept
	sliced       int64       // of count, what went into slices
	first        int         // order of arrival, so that a profile's order is stable
}

// stackTable counts equal stacks.
type stackTable struct {
	entries map[string]*stackEntry
	bytes   int
	dropped uint64            // samples that were not kept
	changed []*stackEntry     // since the last slice
	ends    [broken + 1]int64 // samples by how their stack ends
	times   *times            // nil if it is not kept when samples were taken
	key     []byte
}

func newStackTable() *stackTable { return &stackTable{entries: map[string]*stackEntry{}} }

// add counts a sample; it gives false if the table is full. Samples with other labels, of which group is
// a key, are other stacks. At is when it was taken, in ns of CLOCK_MONOTONIC.
func (t *stackTable) add(g *generation, kernel, user []uint64, end stackEnd, group string, labels []label, at uint64) bool {
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
		t.count(e, at)
		return true
	}
	size := 2*len(t.key) + 128
	if t.bytes+size > maxStackBytes {
		t.dropped++
		return false
	}
	t.bytes += size
	e := &stackEntry{generation: g, kernel: kernel, user: user, end: end, labels: labels, first: len(t.entries)}
	t.entries[string(t.key)] = e
	t.count(e, at)
	return true
}

func (t *stackTable) count(e *stackEntry, at uint64) {
	if e.count == e.sliced {
		t.changed = append(t.changed, e)
	}
	e.count++
	t.ends[e.end]++
	t.times.count(e, at)
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
