//go:build linux

package golang

import "time"

// measureFor is how long the CPU's counter is compared with the clock: the error is some microseconds in it.
const measureFor = 100 * time.Millisecond

// TicksPerSecond is how fast the counter runs in which Go's runtime measures waiting (runtime.cputicks). It is the
// machine's, so ours is that of every program on it; measuring it takes a tenth of a second.
func TicksPerSecond() float64 {
	began, from := time.Now(), cpuTicks()
	time.Sleep(measureFor)
	took, to := time.Since(began), cpuTicks()
	return float64(to-from) / took.Seconds()
}
