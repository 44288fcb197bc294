//go:build linux

package profiler

import (
	"runtime"
	"testing"
)

// The profiler uses one CPU from the start of the first of several captures to the end of the last one.
func TestUseOneCPU(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(maxProcs))
	expect := func(when string, want int) {
		t.Helper()
		if got := runtime.GOMAXPROCS(0); got != want {
			t.Errorf("%s: %d CPUs, want %d", when, got, want)
		}
	}
	first := useOneCPU()
	expect("one capture", 1)
	second := useOneCPU()
	first()
	expect("the other capture", 1)
	third := useOneCPU()
	second()
	expect("a third capture", 1)
	third()
	expect("no capture", maxProcs)
}
