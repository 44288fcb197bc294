//go:build linux

package golang

import (
	"encoding/binary"
	"fmt"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Status is the status of a goroutine: _Gidle and its successors in runtime/runtime2.go, without
// the bit _Gscan, which is set while the garbage collector scans the stack.
type Status uint32

// The statuses. 5 and 7 are unused; Leaked and DeadExtra exist since Go 1.26. Leaked is a goroutine
// that was waiting for ever at the last garbage collection that looked for leaks, which a program
// starts with the profile goroutineleak. Go 1.26 does so only with GOEXPERIMENT=goroutineleakprofile.
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

// String returns the name that the runtime uses in tracebacks (gStatusStrings, runtime/traceback.go).
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
	case Waiting:
		return "waiting"
	case Dead, DeadExtra:
		return "dead"
	case CopyStack:
		return "copystack"
	case Preempted:
		return "preempted"
	case Leaked:
		return meta.LeakedState
	}
	return fmt.Sprintf("status %d", uint32(s))
}

// isKnown reports whether Go 1.minor has the status.
func (s Status) isKnown(minor int) bool {
	switch s {
	case Idle, Runnable, Running, Syscall, Waiting, Dead, CopyStack, Preempted:
		return true
	}
	return minor >= 26 && (s == Leaked || s == DeadExtra)
}

// Offsets that are the same in all versions of Go: of the bounds of g.stack in runtime.g, and of
// fields of runtime.gobuf.
const (
	gStackLow, gStackEnd = 0, 8
	gobufPC, gobufG      = 8, 16
)

// maxStackSize is twice the runtime's default limit of 1 GB (maxstacksize, runtime/proc.go).
const maxStackSize = 2 << 30

// size returns how many bytes of a runtime.g are read: up to and including its last field in gLayout.
func (l *gLayout) size() int { return int(l.labels) + 8 }

// rawG holds the first bytes of a runtime.g.
type rawG []byte

func (g rawG) word(offset uint64) uint64 { return binary.LittleEndian.Uint64(g[offset:]) }

func (g rawG) status(l *gLayout) Status {
	return Status(binary.LittleEndian.Uint32(g[l.atomicstatus:]) &^ statusScan)
}

func (g rawG) isDead(l *gLayout) bool {
	s := g.status(l)
	return s == Idle || s == Dead || s == DeadExtra
}

// check returns an error if this cannot be the runtime.g at an address. g.sched.g points to the g
// itself: the runtime sets it when it creates the goroutine (newproc1, runtime/proc.go).
func (g rawG) check(l *gLayout, minor int, address uint64) error {
	switch status := g.status(l); {
	case !status.isKnown(minor):
		return fmt.Errorf("goroutine at %#x: unknown status %d", address, uint32(status))
	case g.isDead(l):
		return nil // the fields are not all set yet, or no longer valid
	case g.word(l.sched+gobufG) != address:
		return fmt.Errorf("goroutine at %#x: its sched.g points to %#x", address, g.word(l.sched+gobufG))
	case g.word(gStackLow) >= g.word(gStackEnd) || g.word(gStackEnd)-g.word(gStackLow) > maxStackSize:
		return fmt.Errorf("goroutine at %#x: impossible stack bounds %#x to %#x", address, g.word(gStackLow), g.word(gStackEnd))
	}
	return nil
}

// runsOnCPU reports whether the goroutine is running and not in a system call: its registers are
// not in memory.
func (g rawG) runsOnCPU(l *gLayout) bool {
	return g.status(l) == Running && g.word(l.syscallsp) == 0
}

// hasNotRun reports whether two reads of a runtime.g show the same state. They are compared as a
// whole: whenever a goroutine runs, some field changes (g.trackingSeq counts, casgstatus in
// runtime/proc.go). A goroutine that runs on a CPU changes all the time; it only has to be the same
// one on the same m and stack.
func (g rawG) hasNotRun(l *gLayout, later rawG) bool {
	if !g.runsOnCPU(l) {
		return string(g) == string(later)
	}
	return later.runsOnCPU(l) && g.word(l.goid) == later.word(l.goid) && g.word(l.m) == later.word(l.m) &&
		g.word(gStackLow) == later.word(gStackLow) && g.word(gStackEnd) == later.word(gStackEnd)
}
