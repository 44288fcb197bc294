//go:build linux

package golang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// GoroutineReader reads the goroutines of one process, as often as wanted.
type GoroutineReader struct {
	// Stopped has the registers of the process's threads by their IDs in its own PID namespace, while all of them
	// are stopped: then nothing changes that is read. It is nil while they run.
	Stopped map[int]Registers
	Counts

	runtime       *Runtime
	layout        *gLayout
	length, place uint64 // addresses of runtime.allglen and runtime.allgptr
	unwind        unwinder
	reasons       []string // runtime.waitReasonStrings
	labels        labelReader
	seed          maphash.Seed
}

// Counts say how the readings went, all together.
type Counts struct {
	Seen      int // goroutines that are not dead, system goroutines included
	Tries     int // readings that were done again, for the goroutine had changed meanwhile
	Torn      int // goroutines that changed with every try
	Bad       int // entries of the runtime's list that lead to no goroutine
	CutLabels int // goroutines of whose labels some could not be read
}

// Add adds those of others.
func (c *Counts) Add(o Counts) {
	c.Seen += o.Seen
	c.Tries += o.Tries
	c.Torn += o.Torn
	c.Bad += o.Bad
	c.CutLabels += o.CutLabels
}

// Bounds on what a reading takes.
const (
	maxGoroutines     = 1 << 22
	maxReadingTime    = 10 * time.Second
	maxStoppedTime    = 2 * time.Second // while the process is stopped
	goroutinesAtATime = 256
	stackBytesAtATime = 512 << 10
	maxTries          = 8
)

// ErrTooSlow is given where a reading was ended for it took too long.
var ErrTooSlow = errors.New("reading the goroutines takes too long")

// Each reads all goroutines once. Those of which known says that they are as it knows them are only told to it: the
// fingerprint is another one when a goroutine has run since. Nil knows none. The goroutine that visit gets is only good
// until it returns.
func (gs *GoroutineReader) Each(known func(address, fingerprint uint64) bool, visit func(*Goroutine)) error {
	began, most := time.Now(), maxReadingTime
	if gs.Stopped != nil {
		most = maxStoppedTime
	}
	l, err := gs.readAllgs()
	if err != nil {
		return err
	}
	b := &batch{gs: gs, known: known, visit: visit}
	addresses := make([]uint64, 0, goroutinesAtATime)
	for i := uint64(0); i < l.len; i += uint64(len(addresses)) {
		if addresses, err = gs.readPointers(l, i, addresses[:0]); err != nil {
			return err
		}
		if i > 0 && time.Since(began) > most {
			return fmt.Errorf("%w: %d of %d in %v", ErrTooSlow, i, l.len, most)
		}
		if err := b.read(addresses); err != nil {
			return err
		}
	}
	return nil
}

// list is runtime.allgs: pointers to all runtime.g that were ever made.
type list struct{ at, len uint64 }

// all reads the list's length and place as atomicAllG of runtime/proc.go does: the length first, for the place it has
// then has room for as many.
func (gs *GoroutineReader) readAllgs() (list, error) {
	var length, place [8]byte
	err := gs.runtime.memory.Read(proc.MemoryPart{Address: gs.length, Bytes: length[:]}, proc.MemoryPart{Address: gs.place, Bytes: place[:]})
	if err != nil {
		return list{}, fmt.Errorf("list of goroutines: %w", err)
	}
	l := list{len: binary.LittleEndian.Uint64(length[:]), at: binary.LittleEndian.Uint64(place[:])}
	if !isPointer(l.at) || l.len == 0 || l.len > maxGoroutines {
		return list{}, fmt.Errorf("list of goroutines: %w: it claims to have %d, at %#x", ErrTorn, l.len, l.at)
	}
	return l, nil
}

// part gives the next few pointers of the list. The list only grows; when it has no more room the runtime copies it
// to another place, and what was its place may be used for something else.
func (gs *GoroutineReader) readPointers(l list, first uint64, into []uint64) ([]uint64, error) {
	raw := make([]byte, 8*min(l.len-first, goroutinesAtATime))
	for range maxTries {
		err := gs.runtime.read(l.at+8*first, raw)
		now, again := gs.readAllgs()
		if again != nil {
			return nil, again
		}
		if now.at != l.at {
			l.at = now.at
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list of goroutines: %w", err)
		}
		for i := 0; i < len(raw); i += 8 {
			into = append(into, binary.LittleEndian.Uint64(raw[i:]))
		}
		return into, nil
	}
	return nil, fmt.Errorf("list of goroutines: %w: it moves all the time", ErrTorn)
}

// reading is a goroutine that is being read.
type reading struct {
	address   uint64
	g         rawG
	registers Registers
	at        uint64 // of the stack's part that is read
	bytes     int    // of that; 0 if it has no stack that can be read
	thread    int
}

// runsOnCPU tells whether a goroutine's registers are nowhere in memory.
func (gs *GoroutineReader) runsOnCPU(g rawG) bool {
	return g.status(gs.layout) == Running && g.word(gs.layout.syscallsp) == 0
}

// locateStack finds where a goroutine's stack begins.
func (gs *GoroutineReader) locateStack(r *reading) (err error) {
	l := gs.layout
	switch {
	case gs.runsOnCPU(r.g):
		if r.thread, err = gs.findThread(r); err != nil || gs.Stopped == nil {
			return err
		}
	case r.g.word(l.syscallsp) != 0:
		r.registers = Registers{PC: r.g.word(l.syscallpc), SP: r.g.word(l.syscallsp), Syscall: true}
	default:
		r.registers = gs.savedRegisters(r)
	}
	low, end := r.g.word(gStackLow), r.g.word(gStackEnd)
	if sp := r.registers.SP; sp >= low && sp < end && sp%8 == 0 {
		r.at, r.bytes = sp, int(min(end-sp, maxStackBytes))
	}
	return nil
}

// saved are the registers of a goroutine that something else runs in place of.
func (gs *GoroutineReader) savedRegisters(r *reading) Registers {
	sched := gs.layout.sched
	return Registers{PC: r.g.word(sched + gobufPC), SP: r.g.word(sched), LR: r.g.word(sched + gs.runtime.layout.gobuf.lr)}
}

// thread gives the ID of the thread that runs a goroutine, 0 if it is not known, and its registers if it is stopped.
func (gs *GoroutineReader) findThread(r *reading) (int, error) {
	at := r.g.word(gs.layout.m)
	if !isPointer(at) {
		return 0, nil
	}
	m := &gs.runtime.layout.m
	var g0, procid, curg [8]byte
	var vdso [16]byte
	read, err := gs.runtime.tryRead([]proc.MemoryPart{
		{Address: at, Bytes: g0[:]}, {Address: at + m.procid, Bytes: procid[:]}, {Address: at + m.curg, Bytes: curg[:]},
		{Address: at + m.vdsoSP, Bytes: vdso[:]},
	})
	if err != nil {
		return 0, err
	}
	for _, ok := range read {
		if !ok {
			return 0, nil
		}
	}
	thread := int(int32(binary.LittleEndian.Uint64(procid[:])))
	if binary.LittleEndian.Uint64(curg[:]) != r.address || thread <= 0 {
		return 0, nil
	}
	if now, ok := gs.Stopped[thread]; ok {
		r.registers = gs.stoppedRegisters(r, now, binary.LittleEndian.Uint64(g0[:]), vdso[:])
	}
	return thread, nil
}

// stoppedRegisters gives the registers by which a stopped thread's goroutine is unwound. On the thread's own stack, g0, it
// runs the runtime's code, or C, on behalf of the goroutine, whose registers were saved then: all switches do that but
// the one for a call of the kernel's vDSO, which has a place of its own (runtime/proc.go, sigprof).
func (gs *GoroutineReader) stoppedRegisters(r *reading, now Registers, g0 uint64, vdso []byte) Registers {
	in := func(g rawG) bool { return g.word(gStackLow) <= now.SP && now.SP < g.word(gStackEnd) }
	stack := make(rawG, 16)
	switch err := gs.runtime.read(g0, stack); {
	case in(r.g):
		return now
	case err != nil || !in(stack):
		return Registers{} // that of a signal handler
	case binary.LittleEndian.Uint64(vdso) != 0:
		return Registers{PC: binary.LittleEndian.Uint64(vdso[8:]), SP: binary.LittleEndian.Uint64(vdso)}
	}
	return gs.savedRegisters(r)
}

// unchanged tells whether a goroutine has not run between two readings: any field may tell, g.trackingSeq counts how
// often it has been running (casgstatus, runtime/proc.go). One that runs changes, but must be the same.
func (gs *GoroutineReader) unchanged(a, b rawG) bool {
	if !gs.runsOnCPU(a) {
		return string(a) == string(b)
	}
	l := gs.layout
	return gs.runsOnCPU(b) && a.word(l.goid) == b.word(l.goid) && a.word(l.m) == b.word(l.m) &&
		a.word(gStackLow) == b.word(gStackLow) && a.word(gStackEnd) == b.word(gStackEnd)
}

// Unwind gives the stack of a goroutine that runs, from the registers of its thread and the bytes at its stack
// pointer, which a sample has. It gives false if they are not those of the goroutine: its thread runs something else, or
// runs on another stack.
func (gs *GoroutineReader) Unwind(g *Goroutine, r Registers, stack []byte) bool {
	if r.SP < g.StackLow || r.SP >= g.StackEnd || r.SP%8 != 0 {
		return false
	}
	whole := min(uint64(len(stack)), g.StackEnd-r.SP)
	g.Stack, g.End = gs.unwind.walk(g.Stack[:0], r, stack[:whole], r.SP, r.SP+whole < g.StackEnd)
	return true
}

// StillRunning tells whether a goroutine that ran still does, on the same thread and stack: so it did all the time since, or
// at least no other one has had its stack.
func (gs *GoroutineReader) StillRunning(g *Goroutine) bool {
	now := make(rawG, gs.layout.size())
	if gs.runtime.read(g.Address, now) != nil || now.check(gs.layout, gs.runtime.minor, g.Address) != nil {
		return false
	}
	return now.word(gs.layout.goid) == g.ID && now.word(gStackLow) == g.StackLow && now.word(gStackEnd) == g.StackEnd
}
