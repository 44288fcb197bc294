package symbol

import (
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
)

// goTable is the function table of a Go program.
type goTable struct{ *gopclntab.Table }

// openGoTable returns nil for an object that is not Go.
func openGoTable(f *object.File) codeTable {
	t, err := gopclntab.Open(f)
	if err != nil {
		return nil
	}
	return goTable{t}
}

func (t goTable) covers(address uint64) bool {
	_, _, err := t.Entry(address)
	return err == nil
}

// frames returns the frames that runtime/pprof would show for an address. Like that, it names
// generic functions with the shapes of their type arguments (runtime_FrameSymbolName,
// runtime/symtab.go), and omits wrappers that the compiler generated, unless nothing else would
// remain.
func (t goTable) frames(address uint64) []frame {
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

// hideGoFrames removes from all stacks what runtime/pprof does not show: wrappers, unless they
// called a function of a panic (runtime/traceback.go, elideWrapperCalling), and the root of every
// goroutine's stack, runtime.goexit, which has called nothing but is where the goroutine's function
// will return to. The last location of a stack always remains.
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
		for len(kept) > 1 && outermostFunction(kept[len(kept)-1]) == "runtime.goexit" {
			kept = kept[:len(kept)-1]
		}
		s.Location = kept
	}
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
