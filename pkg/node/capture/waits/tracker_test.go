//go:build linux

package waits

import (
	"os"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
)

// testHost is a Host that only adds up waits.
type testHost struct {
	sync.Mutex
	stacks *stack.Table
	kept   int64
}

func (h *testHost) KeepSample(*record.Sample) {}

func (h *testHost) AddWaits(e *stack.Entry, a stack.Amount) {
	h.stacks.Add(e, a, 0)
	h.kept += a.Count
}

// A wait is added once, however often its total is read. A wait without a stack is counted as lost.
func TestWaitsAreAddedOnce(t *testing.T) {
	c := &testHost{stacks: stack.NewTable()}
	w := New(c)
	g := &process.Generation{ID: 1}
	e := c.stacks.FindOrAdd(g, nil, []uint64{1}, stack.Complete, "", nil)
	w.AddStack(&record.Sample{Serial: 5, Group: 5}, e, true)
	w.AddStack(&record.Sample{Serial: 6, Group: 6}, nil, true)  // the stack table is full
	w.AddStack(&record.Sample{Serial: 7, Group: 7}, nil, false) // a process that is not profiled
	one := w.known[5]
	w.add(one, stack.Amount{Count: 2, Value: 100})
	w.add(one, stack.Amount{Count: 2, Value: 100})
	w.add(one, stack.Amount{Count: 2, Value: 90}) // the map was read while it changed
	w.AddFinalTotal(record.WaitTotal{Serial: 5, Count: 3, Time: 150})
	w.AddFinalTotal(record.WaitTotal{Serial: 6, Count: 1, Time: 10})
	w.AddFinalTotal(record.WaitTotal{Serial: 7, Count: 1, Time: 20})
	w.AddFinalTotal(record.WaitTotal{Serial: 8, Count: 1, Time: 40}) // the ring buffer had no room for its stack
	if want := (stack.Amount{Count: 3, Value: 150}); e.Total != want {
		t.Errorf("the stack has %+v, want %+v", e.Total, want)
	}
	if want := (stack.Amount{Count: 2, Value: 50}); w.lost != want {
		t.Errorf("lost %+v, want %+v", w.lost, want)
	}
	if len(w.known) != 0 || c.kept != 3 {
		t.Errorf("%d stacks are still known, %d waits kept", len(w.known), c.kept)
	}
}

// Unwalked waits are distributed over the stacks of their group in proportion to the waits of these, once there are enough.
func TestUnwalkedWaitsAreDistributed(t *testing.T) {
	c := &testHost{stacks: stack.NewTable()}
	w := New(c)
	owner := &process.Generation{ID: 1}
	short := c.stacks.FindOrAdd(owner, nil, []uint64{1}, stack.Complete, "", nil)
	long := c.stacks.FindOrAdd(owner, nil, []uint64{2}, stack.Complete, "", nil)
	for serial := uint64(1); serial <= 30; serial++ {
		e, ns := short, uint64(100)
		if serial > 20 {
			e, ns = long, 1800
		}
		w.AddStack(&record.Sample{Serial: serial, Group: 1, RepresentsGroup: true}, e, true)
		w.AddFinalTotal(record.WaitTotal{Serial: serial, Count: 1, Time: ns})
	}
	first := c.stacks.FindOrAdd(owner, nil, []uint64{3}, stack.Complete, "", nil) // walked because it was the first, not drawn at random
	w.AddStack(&record.Sample{Serial: 31, Group: 1}, first, true)
	w.AddFinalTotal(record.WaitTotal{Serial: 31, Count: 1, Time: 100_000})
	g := w.groups[1]
	w.addUnwalked(g, stack.Amount{Count: 300, Value: 200_000})
	w.addUnwalked(g, stack.Amount{Count: 300, Value: 199_000}) // the map was read while it changed
	if short.Total.Count != 20 || long.Total.Count != 10 || g.random.waits != 30 {
		t.Errorf("%+v and %+v of %d waits before any are distributed", short.Total, long.Total, g.random.waits)
	}
	rest := record.WaitTotal{Unwalked: true, Serial: 1, Count: 3000, Time: 2_000_001}
	w.AddFinalTotal(rest)
	if want := (stack.Amount{Count: 20 + 2000, Value: 2000 + 200_000}); short.Total != want {
		t.Errorf("the short waits have %+v, want %+v", short.Total, want)
	}
	if want := (stack.Amount{Count: 10 + 1000, Value: 18_000 + 1_800_001}); long.Total != want {
		t.Errorf("the long waits have %+v, want %+v", long.Total, want)
	}
	if want := (stack.Amount{Count: 1, Value: 100_000}); first.Total != want {
		t.Errorf("the first wait has %+v, want %+v", first.Total, want)
	}
	w.AddFinalTotal(rest) // its group has ended
	if want := (stack.Amount{Count: 3000, Value: 2_000_001}); w.lost != want || len(w.groups) != 0 {
		t.Errorf("lost %+v, want %+v; %d groups", w.lost, want, len(w.groups))
	}
}

// The state of a place is freed when the place ends, whether its totals arrived or were lost.
func TestPlacesAreFreed(t *testing.T) {
	w := New(&testHost{stacks: stack.NewTable()})
	e := &stack.Entry{}
	for serial := uint64(10); serial < 1000; serial += 10 {
		for again := range uint64(3) { // the totals of the first two are lost
			w.AddStack(&record.Sample{Serial: serial + again, Group: serial}, e, serial%20 == 0)
		}
		w.AddFinalTotal(record.WaitTotal{Unwalked: true, Serial: serial})
	}
	if len(w.known) != 0 || len(w.groups) != 0 || w.lost != (stack.Amount{}) {
		t.Errorf("%d waits and %d groups are still known, %+v lost", len(w.known), len(w.groups), w.lost)
	}
	for serial := range uint64(2 * maxGroups) {
		w.AddStack(&record.Sample{Serial: serial, Group: serial}, e, true)
	}
	if len(w.groups) > maxGroups || len(w.known) > maxGroups {
		t.Errorf("%d groups are known", len(w.groups))
	}
}

// A stack is copied until the memory ends or the room is full.
func TestCopyStack(t *testing.T) {
	const page = 4096
	memory := make([]byte, 64*page)
	for i := range memory {
		memory[i] = byte(i / page)
	}
	begin := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))
	room := make([]byte, 16*page)
	if n := copyStack(os.Getpid(), begin+8, room); n != len(room) || !slices.Equal(room, memory[8:8+len(room)]) {
		t.Errorf("copied %d bytes of %d", n, len(room))
	}
	if n := copyStack(os.Getpid(), 8, room); n != 0 {
		t.Errorf("copied %d bytes from an unmapped page", n)
	}
}
