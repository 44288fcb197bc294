//go:build linux

package proc

import (
	"time"

	"golang.org/x/sys/unix"
)

// Started is when the process was started, to some hundredths of a second.
func (p *Process) Started() (time.Time, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Time{}, err
	}
	// USER_HZ, in which proc_pid_stat(5) counts, is 100 on all architectures.
	age := time.Duration(now.Nano()) - time.Duration(p.StartTime)*(time.Second/100)
	return time.Now().Add(-age), nil
}
