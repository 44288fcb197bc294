//go:build linux

package run

import (
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Options describe what is sampled.
type Options struct {
	// ContainerID is the target container's ID, 64 hex digits: all processes of its cgroup and the
	// cgroups below are sampled.
	ContainerID string
	// PIDs are the processes to profile, in the target's own PID namespace. If it is empty, all are profiled.
	PIDs []int
	// Frequency is the number of samples per second of CPU time, 1 to requirements.MaxFrequency.
	Frequency int
	// ByThread adds the labels "thread" (name) and, where it is known, "tid" (in the target's own PID namespace).
	ByThread bool
	// Times adds the label "time" to the samples of the whole profile: ms since it began. Slices have no times.
	Times bool
	// Restarts continues when the container ends and starts again. The pod's cgroup is sampled; processes of its
	// other containers are ignored.
	Restarts bool
	// EnableMemProfile turns on the memory profile of Go programs whose profile is off, for the duration of the
	// capture: it writes MemProfileRate to runtime.MemProfileRate in their memory, and restores the old value
	// at the end. Without it nothing is ever written to a target.
	EnableMemProfile bool
	MemProfileRate   int // mean number of bytes allocated between two samples
	// ByGoroutine makes each goroutine a sample, with its ID in the label "goroutine".
	ByGoroutine bool
	// Freeze stops the container's threads while goroutines are read.
	Freeze bool
	// UnsafeKernel leaves out kernel.CheckUserReads.
	UnsafeKernel bool
	// LoadOnly makes a sampler with BPF programs load them only. Its method Prepare does the rest.
	LoadOnly bool
	// WhileSampling is called when sampling has begun, and what it returns when it ends; nil: nothing is called.
	WhileSampling func() (release func())
	// Steps measures the sampler's steps, unless it is nil.
	Steps *api.Steps
}

// Progress is what has been captured so far.
type Progress struct {
	Elapsed   time.Duration
	Samples   uint64 // in the profile
	Lost      uint64 // taken by the kernel, but neither in the profile nor filtered out
	Processes int
}
