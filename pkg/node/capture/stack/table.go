//go:build linux

package stack

import (
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// maxStackBytes bounds the memory for distinct stacks. The target determines their number and depth; a stack of
// deep recursion takes 8 KiB. Samples beyond the bound are counted as lost.
const maxStackBytes = 32 << 20

// Entry is one distinct stack of one process.
type Entry struct {
	Generation *process.Generation
	Kernel     []uint64     // return addresses, leaf first
	User       record.Stack // addresses within instructions; the only marks are RUNTIME_FRAME
	End        End
	Labels     []record.Label
	Total      Amount
	Times      []TimeCount // nil if times are not recorded
	Sliced     Amount      // part of Total that is in earlier slices
	Changed    bool        // changed since the last slice
	First      int         // order of arrival, which makes the order of a profile's samples stable
}

// Amount is a profile's pair of values: a number of events and their sum, in the unit of the profile.
type Amount struct{ Count, Value int64 }

// Minus returns the difference of a and b.
func (a Amount) Minus(b Amount) Amount { return Amount{a.Count - b.Count, a.Value - b.Value} }

// Table aggregates equal stacks.
type Table struct {
	entries   map[string]*Entry
	bytes     int
	Dropped   uint64          // number of samples that did not fit
	Changed   []*Entry        // entries that have changed since the last slice
	EndCounts [Torn + 1]int64 // number of samples by the end of their stacks
	Times     *times          // nil if times are not recorded
	key       []byte
}

// NewTable returns an empty table that does not record times.
func NewTable() *Table { return &Table{entries: map[string]*Entry{}} }

// FindOrAdd returns the entry of a stack, or nil if the table is full. Stacks with different labels are distinct;
// group is a key of the labels.
func (t *Table) FindOrAdd(g *process.Generation, kernel []uint64, user record.Stack, end End, group string, labels []record.Label) *Entry {
	t.key = append(t.key[:0], byte(end))
	t.key = append(t.key, group...)
	t.key = binary.NativeEndian.AppendUint32(t.key, uint32(g.ID))
	t.key = binary.NativeEndian.AppendUint16(t.key, uint16(len(kernel)))
	for _, a := range kernel {
		t.key = binary.NativeEndian.AppendUint64(t.key, a)
	}
	for _, a := range user {
		t.key = binary.NativeEndian.AppendUint64(t.key, a)
	}
	if e := t.entries[string(t.key)]; e != nil { // this conversion does not allocate
		t.EndCounts[end]++
		return e
	}
	size := 2*len(t.key) + 128 + int(unsafe.Sizeof(record.Label{}))*len(labels) // the texts are shared, or in the key
	if t.bytes+size > maxStackBytes {
		t.Dropped++
		return nil
	}
	t.bytes += size
	e := &Entry{Generation: g, Kernel: kernel, User: user, End: end, Labels: labels, First: len(t.entries)}
	t.entries[string(t.key)] = e
	t.EndCounts[end]++
	return e
}

// Add adds a sample's amount to a stack. at is the time of the sample in ns of CLOCK_MONOTONIC.
func (t *Table) Add(e *Entry, a Amount, at uint64) {
	if !e.Changed {
		e.Changed = true
		t.Changed = append(t.Changed, e)
	}
	e.Total.Count += a.Count
	e.Total.Value += a.Value
	t.Times.count(e, uint32(a.Count), at)
	t.Times.widen(t.entries)
}

// Free removes all entries. The counts of samples stay.
func (t *Table) Free() {
	t.entries, t.Changed, t.bytes = map[string]*Entry{}, nil, 0
}

// Sorted returns all entries in the order of their arrival.
func (t *Table) Sorted() []*Entry {
	all := make([]*Entry, 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Entry) int { return cmp.Compare(a.First, b.First) })
	return all
}
