//go:build linux

package golang

// cpuTicks reads the time-stamp counter.
func cpuTicks() int64
