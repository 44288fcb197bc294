// Package runtimes is the seam between sampling and the language runtimes that a target may use: what the unwinder and the
// checks of stacks must know of a runtime. Its entry point is the interface Runtime, which package golang implements.
// Package registry lists the implementations.
package runtimes

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
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
