package symbol

import (
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
	return frame{name: f.Name, file: f.File, line: f.Line, start: f.StartLine, wrapper: f.Wrapper}
}
