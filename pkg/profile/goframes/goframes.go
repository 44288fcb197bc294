// Package goframes removes from the stacks of Go programs what runtime/pprof does not show. Its
// entry point is Hide. It depends on no other package of this module.
package goframes

import (
	"slices"

	"github.com/google/pprof/profile"
)

// Hide removes from all stacks what runtime/pprof does not show: wrappers, unless they
// called a function of a panic (runtime/traceback.go, elideWrapperCalling), and the root of every
// goroutine's stack, runtime.goexit, which has called nothing but is where the goroutine's function
// will return to. The last location of a stack always remains.
func Hide(p *profile.Profile, wrappers map[*profile.Location]bool) {
	for _, s := range p.Sample {
		kept := s.Location // samples may share it, so it must not be changed
		if slices.ContainsFunc(kept, func(l *profile.Location) bool { return wrappers[l] }) {
			kept = withoutWrappers(kept, wrappers)
		}
		for len(kept) > 1 && outermostFunction(kept[len(kept)-1]) == "runtime.goexit" {
			kept = kept[:len(kept)-1]
		}
		s.Location = kept
	}
}

// withoutWrappers returns a copy of a stack without its wrappers, or the stack itself if it has
// nothing else.
func withoutWrappers(all []*profile.Location, wrappers map[*profile.Location]bool) []*profile.Location {
	var kept []*profile.Location
	for i, l := range all {
		if !wrappers[l] || i > 0 && isPanic(all[i-1]) {
			kept = append(kept, l)
		}
	}
	if len(kept) == 0 {
		return all
	}
	return kept
}

func isPanic(l *profile.Location) bool {
	switch outermostFunction(l) {
	case "runtime.gopanic", "runtime.sigpanic", "runtime.panicwrap":
		return true
	}
	return false
}

// outermostFunction returns the linker's name of the function that the others at a location are
// inlined into.
func outermostFunction(l *profile.Location) string {
	if len(l.Line) == 0 {
		return ""
	}
	return l.Line[len(l.Line)-1].Function.SystemName
}
