//go:build linux

package symbol

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Limits on the time for symbolizing one profile. A container with 100 processes and libraries
// takes 1 to 3 s of CPU time. CPU time is what counts, because it does not depend on how much of it
// the pod may use; the limit on the whole time is for file systems that do not answer.
const (
	maxCPUTime      = 7 * time.Second
	maxSliceCPUTime = 2 * time.Second // for one slice; sampling continues meanwhile
	maxTime         = 60 * time.Second
	maxSliceTime    = 10 * time.Second
)

// errTimeUp is returned by all reads of the target's files after the deadline.
var errTimeUp = errors.New("no time is left for symbols")

// deadline is when symbolizing a profile must end. It must be used by one goroutine that is locked
// to its thread. A nil deadline never passes.
type deadline struct {
	cpu    time.Duration // CPU time of the thread
	end    time.Time
	steps  uint32
	passed bool
}

func newDeadline(cpu, whole time.Duration) *deadline {
	return &deadline{cpu: threadTime() + cpu, end: time.Now().Add(whole)}
}

// exceeded reports whether the deadline has passed. It costs a system call.
func (d *deadline) exceeded() bool {
	if d == nil {
		return false
	}
	if !d.passed {
		d.passed = threadTime() > d.cpu || time.Now().After(d.end)
	}
	return d.passed
}

// stepsPerCheck is how often step looks at the clock. That many steps take less than a millisecond.
const stepsPerCheck = 256

// step counts a step of a loop and reports whether the deadline has passed.
func (d *deadline) step() bool {
	if d == nil {
		return false
	}
	if d.steps++; d.steps%stepsPerCheck == 0 {
		return d.exceeded()
	}
	return d.passed
}

// threadTime returns the CPU time of the thread.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// timedFile is a file of the target that is read until the deadline. All readers of files, those of
// libraries too, read through one.
type timedFile struct {
	*proc.File
	deadline *deadline
}

// ReadAt implements io.ReaderAt.
func (f timedFile) ReadAt(b []byte, offset int64) (int, error) {
	if f.deadline.exceeded() {
		return 0, errTimeUp
	}
	return f.File.ReadAt(b, offset)
}
