//go:build linux

// Package capture turns what the kernel saw of a container into an unsymbolized profile: addresses
// with their mappings. Its entry point for CPU time is NewCPU. It must not know of Kubernetes, nor of
// function names: package symbol adds them.
package builder

import (
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Result is a finished capture.
type Result struct {
	// Profile has locations with Address and Mapping, but without functions. A sample's labels
	// are "process" (name) and the number "pid" (in the target's own PID namespace), and those that Options asks for.
	Profile *profile.Profile
	// File gives the file behind a mapping of the profile, opened when the process was first seen and
	// open until the capture is closed; nil where there is none.
	File func(*profile.Mapping) *proc.File
	// PerfMap gives the list of code made at run time that a mapping's process has written for perf, as it is
	// now, open until the capture is closed; nil where there is none.
	PerfMap func(*profile.Mapping) *proc.File
	// Instant is set for what was read at one moment, whatever the duration that was asked for.
	Instant bool
}

// Names of the functions that stand for what is not known.
const (
	// Truncated is the root of a stack that is deeper than what is recorded.
	Truncated = "[truncated]"
	// BrokenStack is the root of a stack whose callers could not be found; the profile's comments say why.
	BrokenStack = "[broken stack]"
	// StackNotTaken stands for the stack of a thread that has not run yet, or waits more often than stacks are walked.
	StackNotTaken = "[stack not taken]"
	// RunningGoroutine stands for the stack of a goroutine that runs, where its thread could not be sampled.
	RunningGoroutine = "[running]"
	// TornStack stands for the stack of a goroutine that changed whenever it was read.
	TornStack = "[changed while it was read]"
	// UnknownRuntimeFrame stands for a frame that a language runtime describes, but cannot name.
	UnknownRuntimeFrame = "[unknown runtime frame]"
	// ProcessExited is all that is known of a process that ended before its mappings were read.
	ProcessExited = "[process exited]"
)
