//go:build linux

package golang

import "time"

// measureFor is the time over which the CPU's counter is compared with the clock. The error is some
// microseconds.
const measureFor = 100 * time.Millisecond

// TicksPerSecond returns the frequency of the counter with which Go's runtime measures waiting
// (runtime.cputicks). It is the same for all programs on the machine. Measuring takes 100 ms.
func TicksPerSecond() float64 {
	start, first := time.Now(), cpuTicks()
	time.Sleep(measureFor)
	took, last := time.Since(start), cpuTicks()
	return float64(last-first) / took.Seconds()
}
