//go:build linux

package golang

// cpuTicks reads the time-stamp counter, as runtime.cputicks does.
func cpuTicks() int64
