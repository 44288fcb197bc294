//go:build linux

package profiler

import (
	"runtime"
	"sync"
)

// maxProcs is how many CPUs the profiler uses at once while it does not sample.
const maxProcs = 2

var sampling struct {
	sync.Mutex
	captures int
}

// useOneCPU makes the profiler use one CPU until the returned function is called: while it samples it wakes each
// second for a moment, and with several CPUs Go's scheduler would wake a thread on each.
func useOneCPU() (release func()) {
	change := func(by int) {
		sampling.Lock()
		defer sampling.Unlock()
		switch sampling.captures += by; {
		case sampling.captures == 0:
			runtime.GOMAXPROCS(maxProcs)
		case sampling.captures == by: // the first
			runtime.GOMAXPROCS(1)
		}
	}
	change(1)
	return func() { change(-1) }
}
