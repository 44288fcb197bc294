//go:build linux

package run

import (
	"time"
)

// Options say what is sampled.
type Options struct {
	// ContainerID is the target container's ID, 64 hex digits: all processes of its cgroup and the
	// cgroups below are sampled.
	ContainerID string
	// PIDs, if not empty, are the only processes that are kept, numbered as in the target's own PID namespace.
	PIDs []int
	// Frequency is the number of samples per second of CPU time, 1 to 1000.
	Frequency int
	// ByThread keeps the samples of threads apart; each then has the label "thread" (name) and, where it can be
	// read, the number "tid" (in the target's own PID namespace).
	ByThread bool
	// Times keeps when samples were taken: they have the number "time", in ms since the profile began.
	// Slices do not.
	Times bool
	// Restarts goes on with the container's next start when it ends: the whole pod is watched, and processes of
	// its other containers are left out.
	Restarts bool
	// EnableMemProfile turns the memory profile of Go programs on that have turned it off, for as long as the
	// capture lasts: it writes MemProfileRate to runtime.MemProfileRate in their memory, and the old value
	// afterwards. Without it nothing is ever written to a target.
	EnableMemProfile bool
	MemProfileRate   int // bytes allocated between two samples
	// ByGoroutine keeps goroutines apart; each then has the number "goroutine", its ID.
	ByGoroutine bool
	// Freeze stops the container's threads while goroutines are read.
	Freeze bool
}

// Progress is what has been captured so far.
type Progress struct {
	Elapsed   time.Duration
	Samples   uint64 // taken and kept
	Lost      uint64 // taken by the kernel, but neither kept nor filtered out
	Processes int
}
