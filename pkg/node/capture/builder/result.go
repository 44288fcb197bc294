//go:build linux

package builder

import (
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Result is a finished capture.
type Result struct {
	// Profile has locations with Address and Mapping, but without functions. Each sample has the label
	// "process" (the name), the numeric label "pid" (in the target's PID namespace) and the labels
	// that Options asks for.
	Profile *profile.Profile
	// File returns the file behind a mapping of the profile, or nil if the mapping has none. The file
	// was opened when the process was first seen and stays open until the capture is closed.
	File func(*profile.Mapping) *proc.File
	// PerfMap returns the current /tmp/perf-PID.map of a mapping's process, which lists its JIT-compiled
	// code, or nil if there is none. The file stays open until the capture is closed.
	PerfMap func(*profile.Mapping) *proc.File
	// Instant reports that the profile was read at one moment, whatever duration was requested.
	Instant bool
}

// Names of the placeholder functions for unknown parts of a stack.
const (
	// Truncated is the root of a stack that is deeper than the recording limit.
	Truncated = "[truncated]"
	// BrokenStack is the root of a stack that could not be unwound further. The profile's comments give
	// the reason.
	BrokenStack = "[broken stack]"
	// StackNotTaken replaces the stack of a thread that has not run yet, or that waits more often than
	// its stack is walked.
	StackNotTaken = "[stack not taken]"
	// RunningGoroutine replaces the stack of a running goroutine whose thread could not be sampled.
	RunningGoroutine = "[running]"
	// TornStack replaces the stack of a goroutine that changed during every attempt to read it.
	TornStack = "[changed while it was read]"
	// UnknownRuntimeFrame replaces a frame that its language runtime cannot name.
	UnknownRuntimeFrame = "[unknown runtime frame]"
	// ProcessExited replaces the stack of a process that exited before its mappings were read.
	ProcessExited = "[process exited]"
)
