//go:build linux

package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/test/accuracy/compare"
)

// crossings are functions between a goroutine's stack and the stack of its thread or of C.
// runtime/pprof does not see frames of C; it omits some of these functions and inserts others.
var crossings = map[string]bool{
	"runtime.asmcgocall": true, "runtime.asmcgocall.abi0": true, "runtime.asmcgocall_landingpad": true, "crosscall2": true,
	"runtime.systemstack_switch": true,
}

// preempted is what the signal that preempts a goroutine makes it call. runtime/pprof's signal
// arrives at the same tick of the kernel's clock and then samples this function, before its first
// instruction, instead of the interrupted one.
const preempted = "runtime.asyncPreempt"

// goStacks returns the part of a profile's stacks that runtime/pprof reports: Go code in user space.
func goStacks(p *profile.Profile) []compare.Stack {
	var all []compare.Stack
	for _, s := range p.Sample {
		stack := compare.Stack{Count: s.Value[0]}
		for _, l := range s.Location {
			if l.Mapping != nil && l.Mapping.File == process.KernelMapping {
				continue
			}
			for _, line := range l.Line {
				name := line.Function.Name
				// Names of Go functions contain a package, except for those that cgo
				// generates to be called by C.
				isGo := strings.Contains(name, ".") || strings.HasPrefix(name, "_cgoexp_")
				if !isGo || crossings[name] || len(stack.Frames) == 0 && name == preempted {
					continue
				}
				frame := compare.Frame{Function: name, Line: line.Line}
				if name == "runtime.cgocall" { // runtime/pprof reports the line before the call
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

// labels returns a goroutine's labels as frames, so that their shares are compared too.
func labels(s *profile.Sample) []compare.Frame {
	var all []compare.Frame
	for _, key := range slices.Sorted(maps.Keys(s.Label)) {
		if key != "process" {
			all = append(all, compare.Frame{Function: fmt.Sprintf("label %s=%s", key, s.Label[key])})
		}
	}
	return all
}

// nativeStacks returns the part of a profile's stacks that perf reports: functions in user space,
// named by symbol tables.
func nativeStacks(p *profile.Profile, program string) []compare.Stack {
	var all []compare.Stack
	for _, s := range p.Sample {
		stack := compare.Stack{Count: s.Value[0]}
		for _, l := range s.Location {
			if l.Mapping == nil || l.Mapping.File == process.KernelMapping {
				continue
			}
			stack.Frames = append(stack.Frames, nativeFrame(l.Line[len(l.Line)-1].Function.SystemName, l.Mapping.File, program))
		}
		all = append(all, stack)
	}
	return all
}

// nativeFrame returns the function for a frame of the program itself, and the object for a frame of
// a library: a library's function may have several names, of which each profiler chooses one.
func nativeFrame(function, object, program string) compare.Frame {
	if object != program {
		return compare.Frame{Function: "in " + path.Base(object)}
	}
	name, _, _ := strings.Cut(function, "@@") // without a symbol's version
	return compare.Frame{Function: name}
}
