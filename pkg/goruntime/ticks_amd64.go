package goruntime

// cpuTicks reads the time-stamp counter.
func cpuTicks() int64
