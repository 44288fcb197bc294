//go:build linux

package golang

import (
	"encoding/binary"
	"fmt"
)

// Status is what a goroutine does: _Gidle and so on of runtime/runtime2.go, without the bit of a stack that is being scanned.
type Status uint32

// The statuses. The fifth and the seventh are not used; the last two are of Go 1.26.
const (
	Idle      Status = 0
	Runnable  Status = 1
	Running   Status = 2
	Syscall   Status = 3
	Waiting   Status = 4
	Dead      Status = 6
	CopyStack Status = 8
	Preempted Status = 9
	Leaked    Status = 10
	DeadExtra Status = 11

	statusScan = 0x1000
)

// String is as in the runtime's own tracebacks (gStatusStrings, runtime/traceback.go).
func (s Status) String() string {
	switch s {
	case Idle:
		return "idle"
	case Runnable:
		return "runnable"
	case Running:
		return "running"
	case Syscall:
		return "syscall"
	case Waiting, Leaked:
		return "waiting"
	case Dead, DeadExtra:
		return "dead"
	case CopyStack:
		return "copystack"
	case Preempted:
		return "preempted"
	}
	return fmt.Sprintf("status %d", uint32(s))
}

// known tells whether a version of Go has the status.
func (s Status) known(minor int) bool {
	switch s {
	case Idle, Runnable, Running, Syscall, Waiting, Dead, CopyStack, Preempted:
		return true
	}
	return minor >= 26 && (s == Leaked || s == DeadExtra)
}

// Where the fields of runtime.g are that never moved: those of stack, and of the gobuf sched.
const (
	gStackLow, gStackEnd = 0, 8
	gobufPC, gobufG      = 8, 16
)

// size is how much of a runtime.g is read: up to the last field that is used.
func (l *gLayout) size() int { return int(l.labels) + 8 }

// rawG is the beginning of a runtime.g as it was read.
type rawG []byte

func (g rawG) word(offset uint64) uint64 { return binary.LittleEndian.Uint64(g[offset:]) }

func (g rawG) status(l *gLayout) Status {
	return Status(binary.LittleEndian.Uint32(g[l.atomicstatus:]) &^ statusScan)
}

func (g rawG) dead(l *gLayout) bool {
	s := g.status(l)
	return s == Idle || s == Dead || s == DeadExtra
}

// check tells whether this can be a goroutine at all. The runtime writes its address into it when it makes it
// (newproc1, runtime/proc.go).
func (g rawG) check(l *gLayout, minor int, address uint64) error {
	switch status := g.status(l); {
	case !status.known(minor):
		return fmt.Errorf("goroutine at %#x: its status is %d", address, uint32(status))
	case status == Idle || status == Dead || status == DeadExtra:
		return nil // not all is set, or no longer
	case g.word(l.sched+gobufG) != address:
		return fmt.Errorf("goroutine at %#x: it names itself %#x", address, g.word(l.sched+gobufG))
	case g.word(gStackLow) >= g.word(gStackEnd) || g.word(gStackEnd)-g.word(gStackLow) > maxStackSize:
		return fmt.Errorf("goroutine at %#x: its stack is from %#x to %#x", address, g.word(gStackLow), g.word(gStackEnd))
	}
	return nil
}

// maxStackSize is twice the runtime's own default bound, 1 GB (maxstacksize, runtime/proc.go).
const maxStackSize = 2 << 30

// Goroutine is one goroutine at the time it was read.
type Goroutine struct {
	Address   uint64 // of its runtime.g
	ID        uint64
	Parent    uint64 // ID of the one that made it; 0 if that is not known: up to Go 1.20, and for the first
	Status    Status
	Reason    string // what it waits for, in the runtime's words; "" if it does not wait
	Since     int64  // when it began to wait, as the garbage collector saw it, in ns of CLOCK_MONOTONIC; 0 if not known
	Creator   string // function that made it; "" for the first
	Created   uint64 // address of that go statement
	CreatedAt string // its file:line; "" if that is not known
	Labels    []Label
	StackLow  uint64 // addresses of its stack
	StackEnd  uint64
	Thread    int // that runs it, in the target's own PID namespace; 0 if none does
	// Stack has the addresses of its instructions, leaf first, of callers one within the call. It is empty if End
	// is NoStack or Torn.
	Stack []uint64
	End   End
	// Fingerprint is what Each tells of it as long as it has not run.
	Fingerprint uint64
}

// End is how a stack ends at its root.
type End uint8

// The ends.
const (
	Complete  End = iota
	Truncated     // it is deeper than what is read
	Broken        // a return address leads to no code of Go
	NoStack       // the goroutine runs: its registers are nowhere in memory
	Torn          // it changed with every try to read it
)
