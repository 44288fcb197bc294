//go:build linux

package stack

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// maxStackBytes bounds the memory of distinct stacks, which a target makes as it likes: deep
// recursion has stacks of 8 KiB. What comes beyond it is counted as lost.
const maxStackBytes = 32 << 20

// Entry is one distinct stack of one process.
type Entry struct {
	Generation *process.Generation
	Kernel     []uint64     // return addresses, leaf first
	User       record.Stack // without marks but RUNTIME_FRAME: all addresses are those of instructions
	End        End
	Labels     []record.Label
	Total      Amount
	Times      []TimeCount // nil if they are not kept
	Sliced     Amount      // of the total, what went into slices
	Changed    bool        // since the last slice
	First      int         // order of arrival, so that a profile's order is stable
}

// Amount is what a profile's two values are: how often, and how much.
type Amount struct{ Count, Value int64 }

func (a Amount) Minus(b Amount) Amount { return Amount{a.Count - b.Count, a.Value - b.Value} }

// Table adds up equal stacks.
type Table struct {
	entries   map[string]*Entry
	bytes     int
	Dropped   uint64          // samples that were not kept
	Changed   []*Entry        // since the last slice
	EndCounts [Torn + 1]int64 // stacks that came by how they end
	Times     *times          // nil if it is not kept when samples were taken
	key       []byte
}

func NewTable() *Table { return &Table{entries: map[string]*Entry{}} }

// FindOrAdd gives a stack's entry, nil if the table is full. Samples with other labels, of which group is a key, are
// other stacks.
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
	if e := t.entries[string(t.key)]; e != nil { // the conversion allocates nothing here
		t.EndCounts[end]++
		return e
	}
	size := 2*len(t.key) + 128
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

// Add adds to a stack what came with a sample, which was taken at that time of CLOCK_MONOTONIC in ns.
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

func (t *Table) Sorted() []*Entry {
	all := make([]*Entry, 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Entry) int { return cmp.Compare(a.First, b.First) })
	return all
}
