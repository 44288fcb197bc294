//go:build linux

package kernel

import (
	"golang.org/x/sys/unix"
)

// UserHZ is USER_HZ, the clock ticks per second in which /proc tells times; it is 100 on all of
// Linux's architectures.
const UserHZ = 100

// Monotonic is the kernel's clock by which samples are stamped, in ns.
func Monotonic() uint64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0
	}
	return uint64(now.Nano())
}
