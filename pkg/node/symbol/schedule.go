//go:build linux

package symbol

import "time"

// schedule is when the sources of names may be read again: object files and the sources below. A
// nil schedule allows every reading.
type schedule map[any]time.Time

// Sources that are not object files.
const (
	kernelSource  = "the kernel's symbols"
	perfMapSource = "perf maps"
)

// Reading a source again takes at most 1/cpuShare of a CPU and 1/timeShare of the time. Function
// tables of Go programs take some 0.3 ms and may be read every second, the kernel's list of symbols 40 ms.
const (
	cpuShare  = 1000
	timeShare = 20 // more than the CPU time where files are read slowly or CPUs are busy
)

// read calls f, which reads a source, if it may be read at this time. The thread must be locked.
func (s schedule) read(source any, f func()) {
	began, cpu := time.Now(), threadTime()
	if began.Before(s[source]) {
		return
	}
	f()
	if s != nil {
		s[source] = time.Now().Add(max(cpuShare*(threadTime()-cpu), timeShare*time.Since(began)))
	}
}
