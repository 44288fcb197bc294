// Package fuzzbudget fails a fuzz target on an input that costs too much memory or CPU time, so
// that the fuzzer finds such inputs as it finds panics. Every fuzz target calls Enforce first.
package fuzzbudget

import (
	"fmt"
	"runtime/metrics"
	"testing"
	"time"
)

// The budget of one input. The inputs of fuzz targets have some kilobytes; of honest inputs of that
// size the dearest, which render a picture in every format, allocate about 10 MiB in 50 ms.
const (
	maxAllocated = 64 << 20
	maxCPU       = time.Second
)

// An input this many times over its budget ends the process at once. The fuzzer reports that with
// the input, which it would not if the target ran for minutes or if the machine's memory ran out.
const hardStop = 4

// Enforce fails t if the rest of its body allocates more than 64 MiB, freed memory included, or
// uses more than 1 s of CPU time. All goroutines of the process count. A body that exceeds either
// bound by a factor of four panics while it runs. Under the race detector there is no budget.
func Enforce(t testing.TB) {
	t.Helper()
	if race {
		return
	}
	enforce(t, func(message string) { panic(message) })
}

// NotUnderRace skips a test that measures memory or time under the race detector, which multiplies
// both; make check runs it.
func NotUnderRace(t testing.TB) {
	t.Helper()
	if race {
		t.Skip("left out: the race detector multiplies memory and time")
	}
}

func enforce(t testing.TB, stop func(message string)) {
	t.Helper()
	before := usedNow()
	done := make(chan struct{})
	watcher := time.AfterFunc(watchInterval, func() { watch(before, done, stop) })
	t.Cleanup(func() {
		t.Helper()
		watcher.Stop()
		close(done)
		if message := exceeded(usedNow().since(before), 1); message != "" {
			t.Error(message)
		}
	})
}

// watchInterval is long enough that most inputs end before the first look, and short enough that a
// target cannot allocate more than a few GB between two.
const watchInterval = 200 * time.Millisecond

func watch(before usage, done <-chan struct{}, stop func(string)) {
	for {
		if message := exceeded(usedNow().since(before), hardStop); message != "" {
			select {
			case <-done:
			default:
				stop(message)
			}
			return
		}
		select {
		case <-done:
			return
		case <-time.After(watchInterval):
		}
	}
}

// usage is what the process has used since its start.
type usage struct {
	allocated uint64 // bytes, freed ones included
	cpu       time.Duration
}

func (u usage) since(before usage) usage {
	return usage{u.allocated - before.allocated, u.cpu - before.cpu}
}

// usedNow returns the usage of the process. Reading runtime/metrics does not stop the world, as
// runtime.ReadMemStats does; the value may lack what fits into the spans in use, less than 1 MiB.
func usedNow() usage {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return usage{sample[0].Value.Uint64(), cpuTime()}
}

// exceeded returns what is over factor times the budget, or "".
func exceeded(u usage, factor uint64) string {
	switch {
	case u.allocated > factor*maxAllocated:
		return fmt.Sprintf("this input made the target allocate %d MiB; the budget is %d MiB", u.allocated>>20, maxAllocated>>20)
	case u.cpu > time.Duration(factor)*maxCPU:
		return fmt.Sprintf("this input took %v of CPU time; the budget is %v", u.cpu.Round(10*time.Millisecond), maxCPU)
	}
	return ""
}
