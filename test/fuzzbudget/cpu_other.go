//go:build !unix

package fuzzbudget

import "time"

var started = time.Now()

// cpuTime returns a tenth of the time that has passed, for systems where package syscall cannot
// read CPU time: other programs may take nine tenths of the machine before an input fails.
func cpuTime() time.Duration { return time.Since(started) / 10 }
