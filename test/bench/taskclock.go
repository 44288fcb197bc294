//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// taskClock counts how long the threads of a process were on a CPU, by the perf event task-clock of each. It
// contains the time that a hypervisor took away meanwhile, as samples do; the scheduler's accounting leaves
// that out (PARAVIRT_TIME_ACCOUNTING). See perf_event_open(2).
type taskClock []int // file descriptors

// newTaskClock counts for the process's present threads, and for those that they start.
func newTaskClock(pid int) (taskClock, error) {
	dirs, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return nil, err
	}
	var c taskClock
	for _, dir := range dirs {
		tid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		fd, err := unix.PerfEventOpen(&unix.PerfEventAttr{
			Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_TASK_CLOCK, Bits: unix.PerfBitInherit,
		}, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err == unix.ESRCH {
			continue // the thread has ended
		}
		if err != nil {
			c.close()
			return nil, os.NewSyscallError("perf_event_open", err)
		}
		c = append(c, fd)
	}
	return c, nil
}

// used returns the time since newTaskClock.
func (c taskClock) used() (time.Duration, error) {
	var total time.Duration
	for _, fd := range c {
		var value [8]byte
		if _, err := unix.Read(fd, value[:]); err != nil {
			return 0, os.NewSyscallError("read", err)
		}
		total += time.Duration(binary.NativeEndian.Uint64(value[:]))
	}
	return total, nil
}

func (c taskClock) close() {
	for _, fd := range c {
		unix.Close(fd)
	}
}
