//go:build linux

package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/test/accuracy/compare"
)

// crossings are functions that lie between a goroutine's stack and that of its thread or of C. runtime/pprof,
// which knows nothing of C's frames, leaves some of them out and puts in others.
var crossings = map[string]bool{
	"runtime.asmcgocall": true, "runtime.asmcgocall.abi0": true, "runtime.asmcgocall_landingpad": true, "crosscall2": true,
	"runtime.systemstack_switch": true,
}

// preempted is called by the signal that ends a goroutine's turn. runtime/pprof's own signal comes with the same
// tick of the kernel's clock and then finds it, before its first instruction, in the place of what was interrupted.
const preempted = "runtime.asyncPreempt"

// goStacks takes from a profile what runtime/pprof knows: user code of Go.
func goStacks(p *profile.Profile) []compare.Stack {
	var all []compare.Stack
	for _, s := range p.Sample {
		stack := compare.Stack{Count: s.Value[0]}
		for _, l := range s.Location {
			if l.Mapping != nil && l.Mapping.File == capture.KernelMapping {
				continue
			}
			for _, line := range l.Line {
				name := line.Function.Name
				// Go's names have a package, but for what cgo makes to be called by C.
				isGo := strings.Contains(name, ".") || strings.HasPrefix(name, "_cgoexp_")
				if !isGo || crossings[name] || len(stack.Frames) == 0 && name == preempted {
					continue
				}
				frame := compare.Frame{Function: name, Line: line.Line}
				if name == "runtime.cgocall" { // runtime/pprof has the line before that of the call, where it left Go
					frame.Line = 0
				}
				stack.Frames = append(stack.Frames, frame)
			}
		}
		if len(stack.Frames) > 0 {
			stack.Frames = slices.Insert(stack.Frames, 1, labels(s)...)
		}
		all = append(all, stack)
	}
	return all
}

// labels gives a goroutine's labels as if they were frames, so that their shares are compared too.
func labels(s *profile.Sample) []compare.Frame {
	var all []compare.Frame
	for _, key := range slices.Sorted(maps.Keys(s.Label)) {
		if key != "process" {
			all = append(all, compare.Frame{Function: fmt.Sprintf("label %s=%s", key, s.Label[key])})
		}
	}
	return all
}

// nativeStacks takes what perf shows: the functions of user code as the symbol tables have them.
func nativeStacks(p *profile.Profile, program string) []compare.Stack {
	var all []compare.Stack
	for _, s := range p.Sample {
		stack := compare.Stack{Count: s.Value[0]}
		for _, l := range s.Location {
			if l.Mapping == nil || l.Mapping.File == capture.KernelMapping {
				continue
			}
			stack.Frames = append(stack.Frames, nativeFrame(l.Line[len(l.Line)-1].Function.SystemName, l.Mapping.File, program))
		}
		all = append(all, stack)
	}
	return all
}

// nativeFrame is compared by its function in the program itself, and by its object elsewhere: a library's
// function may have several names, of which each profiler takes one.
func nativeFrame(function, object, program string) compare.Frame {
	if object != program {
		return compare.Frame{Function: "in " + path.Base(object)}
	}
	name, _, _ := strings.Cut(function, "@@") // without a symbol's version
	return compare.Frame{Function: name}
}
