//go:build linux

// Package runtimes is the seam between sampling and the language runtimes that a target may use: what the unwinder and the
// checks of stacks must know of a runtime. Its entry point is the interface Runtime, which package golang implements.
// Package registry lists the implementations.
package runtimes

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Runtime is a language runtime. Object files belong to the target and are not trusted.
type Runtime interface {
	// DescribeToBPF sets in p what the BPF unwinder must know of the runtime to unwind processes that map the object f. It
	// reports whether f holds a version of the runtime that is supported, and leaves p as it is if not.
	DescribeToBPF(f *object.File, p *bpf.CPUUnwindProcess) bool
	// OpenCode returns what the runtime knows of the code in f, or nil if f holds none of its code. f must stay open.
	OpenCode(f *object.File) Code
}

// Code is code that a runtime's compiler has made: all of it keeps frame pointers once its functions have begun.
type Code interface {
	// StackDelta returns by how many bytes the stack pointer has moved since the call of the function at an offset in the
	// object file. It reports false where that is not known.
	StackDelta(offset uint64) (delta int32, ok bool)
}

// Frame is a function that a recorded runtime frame stands for.
type Frame struct {
	Name, File string
	Line       int64 // 0 if it is not known
}

// FrameNamer is implemented by runtimes whose frames the BPF program records with a payload (RUNTIME_FRAME in bpf/unwind.h).
type FrameNamer interface {
	// NameFrame returns the functions that a frame of a process stands for: those that are inlined, the innermost first, and
	// the function that they are inlined into. It returns nil if the payload is not of this runtime. The payload comes from the
	// target and is not trusted.
	NameFrame(p *proc.Process, payload [2]uint64) []Frame
}

// Set is several runtimes, of which an object holds one at most.
type Set []Runtime

// DescribeToBPF calls Runtime.DescribeToBPF until one of the runtimes is found in f, and reports whether there is one.
func (s Set) DescribeToBPF(f *object.File, p *bpf.CPUUnwindProcess) bool {
	for _, r := range s {
		if r.DescribeToBPF(f, p) {
			return true
		}
	}
	return false
}

// OpenCode returns the code of the first runtime that has some in f, or nil.
func (s Set) OpenCode(f *object.File) Code {
	for _, r := range s {
		if code := r.OpenCode(f); code != nil {
			return code
		}
	}
	return nil
}

// NameFrame returns what the first runtime that knows a recorded frame returns for it, or nil.
func (s Set) NameFrame(p *proc.Process, payload [2]uint64) []Frame {
	for _, r := range s {
		if n, ok := r.(FrameNamer); ok {
			if frames := n.NameFrame(p, payload); frames != nil {
				return frames
			}
		}
	}
	return nil
}
