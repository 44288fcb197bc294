//go:build linux

package symbol

import (
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
)

// goFrames gives the frames that runtime/pprof would show for an address, generic functions with the
// shapes of their type arguments as it has them (runtime_FrameSymbolName, runtime/symtab.go).
// Wrappers made by the compiler are left out, unless nothing else would remain.
func goFrames(t *gopclntab.Table, address uint64) []frame {
	found, err := t.Lookup(address)
	if err != nil || len(found) == 0 {
		return nil
	}
	frames := make([]frame, 0, len(found))
	for _, f := range found {
		if !f.Wrapper {
			frames = append(frames, goFrame(f))
		}
	}
	if len(frames) == 0 {
		frames = append(frames, goFrame(found[len(found)-1]))
	}
	return frames
}

func goFrame(f gopclntab.Frame) frame {
	return frame{name: f.Name, system: f.Name, file: f.File, line: f.Line, start: f.StartLine, wrapper: f.Wrapper}
}

// hideGoFrames removes from all stacks what runtime/pprof does not show: wrappers, unless they have
// called into a panic (runtime/traceback.go, elideWrapperCalling), and the root of every goroutine's
// stack, for goexit has called nothing, it only stands where the goroutine's function will return to.
// A stack's last remaining location stays.
func hideGoFrames(p *profile.Profile, wrappers map[*profile.Location]bool) {
	for _, s := range p.Sample {
		kept := s.Location[:0:0]
		for i, l := range s.Location {
			if !wrappers[l] || i > 0 && isPanic(s.Location[i-1]) {
				kept = append(kept, l)
			}
		}
		if len(kept) == 0 {
			kept = s.Location
		}
		for len(kept) > 1 && functionOf(kept[len(kept)-1]) == "runtime.goexit" {
			kept = kept[:len(kept)-1]
		}
		s.Location = kept
	}
}

func isPanic(l *profile.Location) bool {
	switch functionOf(l) {
	case "runtime.gopanic", "runtime.sigpanic", "runtime.panicwrap":
		return true
	}
	return false
}

// functionOf names the function of a location's code, which those inlined into it stand before.
func functionOf(l *profile.Location) string {
	if len(l.Line) == 0 {
		return ""
	}
	return l.Line[len(l.Line)-1].Function.SystemName
}
