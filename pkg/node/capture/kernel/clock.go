//go:build linux

package kernel

import (
	"golang.org/x/sys/unix"
)

// UserHZ is USER_HZ, the number of clock ticks per second in the times of /proc. It is 100 on all supported architectures.
const UserHZ = 100

// Monotonic returns CLOCK_MONOTONIC in ns, the clock of samples' times, or 0 if it cannot be read.
func Monotonic() uint64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0
	}
	return uint64(now.Nano())
}
