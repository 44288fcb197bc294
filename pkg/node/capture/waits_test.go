//go:build linux

package capture

import (
	"os"
	"slices"
	"sync"
	"testing"
	"unsafe"
)

// waitsHostForTest keeps stacks as a sampler does.
type waitsHostForTest struct {
	sync.Mutex
	stacks *stackTable
	kept   int64
}

func (h *waitsHostForTest) KeepSample(*sample) {}

func (h *waitsHostForTest) AddWaits(e *stackEntry, a amount) {
	h.stacks.add(e, a, 0)
	h.kept += a.count
}

// What was waited is added once, however often it is read; what has no stack is lost, and said to be.
func TestWaitsAreAddedOnce(t *testing.T) {
	c := &waitsHostForTest{stacks: newStackTable()}
	w := newWaits(c)
	g := &generation{id: 1}
	e := c.stacks.find(g, nil, []uint64{1}, complete, "", nil)
	w.came(&sample{serial: 5, group: 5}, e, true)
	w.came(&sample{serial: 6, group: 6}, nil, true)  // there was no room for its stack
	w.came(&sample{serial: 7, group: 7}, nil, false) // of another process
	one := w.known[5]
	w.add(one, amount{2, 100})
	w.add(one, amount{2, 100})
	w.add(one, amount{2, 90}) // the map was read while it changed
	w.ended(waitedRecord{serial: 5, count: 3, time: 150})
	w.ended(waitedRecord{serial: 6, count: 1, time: 10})
	w.ended(waitedRecord{serial: 7, count: 1, time: 20})
	w.ended(waitedRecord{serial: 8, count: 1, time: 40}) // its stack found no room in the ring buffer
	if want := (amount{3, 150}); e.total != want {
		t.Errorf("the stack has %+v, want %+v", e.total, want)
	}
	if want := (amount{2, 50}); w.lost != want {
		t.Errorf("lost %+v, want %+v", w.lost, want)
	}
	if len(w.known) != 0 || c.kept != 3 {
		t.Errorf("%d stacks are still known, %d waits kept", len(w.known), c.kept)
	}
}

// What is waited without a stack goes to the stacks of its group by what these waited, once there are enough of them.
func TestWaitsAreSharedOut(t *testing.T) {
	c := &waitsHostForTest{stacks: newStackTable()}
	w := newWaits(c)
	owner := &generation{id: 1}
	short := c.stacks.find(owner, nil, []uint64{1}, complete, "", nil)
	long := c.stacks.find(owner, nil, []uint64{2}, complete, "", nil)
	for serial := uint64(1); serial <= 30; serial++ {
		e, ns := short, uint64(100)
		if serial > 20 {
			e, ns = long, 1800
		}
		w.came(&sample{serial: serial, group: 1, byChance: true}, e, true)
		w.ended(waitedRecord{serial: serial, count: 1, time: ns})
	}
	first := c.stacks.find(owner, nil, []uint64{3}, complete, "", nil) // walked because it was the first, not by chance
	w.came(&sample{serial: 31, group: 1}, first, true)
	w.ended(waitedRecord{serial: 31, count: 1, time: 100_000})
	g := w.groups[1]
	w.addRest(g, amount{300, 200_000})
	w.addRest(g, amount{300, 199_000}) // the map was read while it changed
	if short.total.count != 20 || long.total.count != 10 || g.chosen.waits != 30 {
		t.Errorf("%+v and %+v of %d waits before anything is shared out", short.total, long.total, g.chosen.waits)
	}
	rest := waitedRecord{rest: true, serial: 1, count: 3000, time: 2_000_001}
	w.ended(rest)
	if want := (amount{20 + 2000, 2000 + 200_000}); short.total != want {
		t.Errorf("the short waits have %+v, want %+v", short.total, want)
	}
	if want := (amount{10 + 1000, 18_000 + 1_800_001}); long.total != want {
		t.Errorf("the long waits have %+v, want %+v", long.total, want)
	}
	if want := (amount{1, 100_000}); first.total != want {
		t.Errorf("the first wait has %+v, want %+v", first.total, want)
	}
	w.ended(rest) // its group has ended
	if want := (amount{3000, 2_000_001}); w.lost != want || len(w.groups) != 0 {
		t.Errorf("lost %+v, want %+v; %d groups", w.lost, want, len(w.groups))
	}
}

// What is known of a place goes when the place does, whether its waits were told or found no room.
func TestPlacesAreForgotten(t *testing.T) {
	w := newWaits(&waitsHostForTest{stacks: newStackTable()})
	e := &stackEntry{}
	for serial := uint64(10); serial < 1000; serial += 10 {
		for again := range uint64(3) { // of which the sums of the first two are lost
			w.came(&sample{serial: serial + again, group: serial}, e, serial%20 == 0)
		}
		w.ended(waitedRecord{rest: true, serial: serial})
	}
	if len(w.known) != 0 || len(w.groups) != 0 || w.lost != (amount{}) {
		t.Errorf("%d waits and %d groups are still known, %+v lost", len(w.known), len(w.groups), w.lost)
	}
	for serial := range uint64(2 * maxGroups) {
		w.came(&sample{serial: serial, group: serial}, e, true)
	}
	if len(w.groups) > maxGroups || len(w.known) > maxGroups {
		t.Errorf("%d groups are known", len(w.groups))
	}
}

// A stack is copied to its end, which may be anywhere.
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
		t.Errorf("copied %d bytes from where nothing is", n)
	}
}
