//go:build linux

package golang

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"hash/maphash"
	"time"
)

// GoroutineReader reads the goroutines of one process, any number of times.
type GoroutineReader struct {
	// Stopped holds the registers of the process's threads, by thread ID in the process's own PID
	// namespace, while all threads are stopped. It is nil while they run. While it is set, nothing
	// is read twice to detect changes.
	Stopped map[int]Registers
	// InLibrary is set if the main program is not Go's: in libraries that are built with Go, the goroutine
	// that the runtime starts first, with runtime.main, ends at once.
	InLibrary bool
	Counts

	runtime     *Runtime
	layout      *gLayout
	allglen     uint64 // address of runtime.allglen
	allgptr     uint64 // address of runtime.allgptr
	unwind      unwinder
	waitReasons []string // runtime.waitReasonStrings
	labels      labelReader
	seed        maphash.Seed
}

// Counts are the totals of all reads by a GoroutineReader.
type Counts struct {
	Seen      int // goroutines that are not dead, system goroutines included
	Tries     int // repeated reads of a goroutine that had changed while it was read
	Torn      int // goroutines that changed during every read
	Bad       int // entries of runtime.allgs that do not point to a goroutine
	CutLabels int // goroutines with labels that could not be read completely
}

// Add adds the counts of another reader.
func (c *Counts) Add(o Counts) {
	c.Seen += o.Seen
	c.Tries += o.Tries
	c.Torn += o.Torn
	c.Bad += o.Bad
	c.CutLabels += o.CutLabels
}

// Goroutine is one goroutine at the time it was read.
type Goroutine struct {
	Address     uint64 // of its runtime.g
	ID          uint64
	Parent      uint64 // ID of the goroutine that created it; 0 for the first one and up to Go 1.20
	Status      Status
	Reason      string // the runtime's wait reason; "" if the goroutine is not waiting
	Since       int64  // start of the wait as noted by the garbage collector, in ns of CLOCK_MONOTONIC; 0 if unknown
	Creator     string // function that created it; "" for the first one
	Created     uint64 // address of the go statement
	CreatedAt   string // file:line of the go statement; "" if unknown
	Labels      []Label
	StackLow    uint64 // lowest address of the stack
	StackEnd    uint64 // address after the highest one
	Thread      int    // thread that runs it, in the target's own PID namespace; 0 if there is none
	Fingerprint uint64 // changes when the goroutine runs; see Each

	// Stack holds instruction addresses, leaf first. For callers this is an address within the call.
	// It is empty if End is NoStack or Torn.
	Stack []uint64
	End   End
}

// End is the way a stack trace ends.
type End uint8

// The ways a stack trace ends.
const (
	Complete  End = iota
	Truncated     // the stack is deeper than the bounds on reading
	Broken        // a return address is not in Go code
	NoStack       // the goroutine is running: its registers are not in memory
	Torn          // the goroutine changed during every read
)

// Bounds on one pass over all goroutines.
const (
	maxGoroutines      = 1 << 22
	maxStoppedTime     = 2 * time.Second // while the process is stopped
	goroutinesPerBatch = 256
	stackBytesPerBatch = 512 << 10
	maxTries           = 8
)

// GoroutineReader returns a reader of the process's goroutines. The error wraps ErrUnsupported if the
// variables found do not lead to a list of goroutines.
func (r *Runtime) GoroutineReader() (*GoroutineReader, error) {
	gs := &GoroutineReader{
		runtime: r, layout: &r.layout.g, seed: maphash.MakeSeed(),
		unwind: unwinder{r: r, arm: r.exe.Machine == elf.EM_AARCH64},
	}
	var err error
	if gs.allglen, err = r.variable("runtime.allglen"); err != nil {
		return nil, err
	}
	if gs.allgptr, err = r.variable("runtime.allgptr"); err != nil {
		return nil, err
	}
	if err := gs.checkFirst(); err != nil {
		return nil, err
	}
	if address, err := r.variable("runtime.waitReasonStrings"); err == nil {
		gs.waitReasons = r.readWaitReasons(address)
	}
	return gs, nil
}

// Each reads all goroutines once and calls visit for each. The Goroutine is valid until visit
// returns. The error wraps ErrBudget if ctx is done or there are too many goroutines; those visited
// until then are valid.
//
// If unchanged is not nil, it is called first with the address and the fingerprint of a goroutine
// that is not running. If it returns true, the goroutine is skipped: a goroutine that has run since
// has another fingerprint.
func (gs *GoroutineReader) Each(ctx context.Context, unchanged func(address, fingerprint uint64) bool, visit func(*Goroutine)) error {
	defer gs.runtime.memory.begin(ctx)()
	if gs.Stopped != nil {
		gs.runtime.memory.until = time.Now().Add(maxStoppedTime)
	}
	all, err := gs.readAllgs()
	if err != nil {
		return err
	}
	b := &batch{gs: gs, unchanged: unchanged, visit: visit}
	addresses := make([]uint64, 0, goroutinesPerBatch)
	for i := uint64(0); i < all.len; i += uint64(len(addresses)) {
		if addresses, err = gs.readPointers(all, i, addresses[:0]); err != nil {
			return err
		}
		if err := b.read(addresses); err != nil {
			if errors.Is(err, ErrBudget) {
				err = fmt.Errorf("%d of %d goroutines: %w", i, all.len, err)
			}
			return err
		}
	}
	return nil
}

// Unwind sets the stack of a running goroutine from a sample: the registers of its thread and the
// bytes at its stack pointer. It returns false if the stack pointer is not in the goroutine's
// stack, that is, if the thread runs another goroutine or is on another stack.
func (gs *GoroutineReader) Unwind(g *Goroutine, r Registers, stack []byte) bool {
	if r.SP < g.StackLow || r.SP >= g.StackEnd || r.SP%8 != 0 {
		return false
	}
	whole := min(uint64(len(stack)), g.StackEnd-r.SP)
	g.Stack, g.End = gs.unwind.walk(g.Stack[:0], r, stack[:whole], r.SP, r.SP+whole < g.StackEnd)
	return true
}

// StillRunning reports whether the goroutine still exists with the same ID and the same stack. If
// it does, no other goroutine has used the stack since g was read.
func (gs *GoroutineReader) StillRunning(g *Goroutine) bool {
	now := make(rawG, gs.layout.size())
	if gs.runtime.read(g.Address, now) != nil || now.check(gs.layout, gs.runtime.minor, g.Address) != nil {
		return false
	}
	return now.word(gs.layout.goid) == g.ID && now.word(gStackLow) == g.StackLow && now.word(gStackEnd) == g.StackEnd
}
