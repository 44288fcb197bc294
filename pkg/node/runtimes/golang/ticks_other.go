//go:build linux && !amd64

package golang

import "time"

// cpuTicks is the time in nanoseconds, which is what Go's runtime counts in on arm64 (runtime/os_linux_arm64.go).
func cpuTicks() int64 { return time.Since(origin).Nanoseconds() }

var origin = time.Now()
