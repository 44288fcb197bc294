//go:build unix

package fuzzbudget

import (
	"syscall"
	"time"
)

// cpuTime returns the CPU time of all threads of this process. Other programs on a busy machine do
// not add to it.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // only for a bad argument
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
