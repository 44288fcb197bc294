package symbol

import "github.com/kubectl-pprof/kubectl-pprof/pkg/symbol/gopclntab"

// goFrames gives the frames that runtime/pprof would show for an address, generic functions with the
// shapes of their type arguments as it has them (runtime_FrameSymbolName, runtime/symtab.go).
func goFrames(t *gopclntab.Table, address uint64) []frame {
	found, err := t.Lookup(address)
	if err != nil {
		return nil
	}
	frames := make([]frame, 0, len(found))
	for _, f := range found {
		// Wrappers that the compiler made are left out, unless nothing else would remain.
		if f.Wrapper && len(found) > 1 {
			continue
		}
		frames = append(frames, frame{name: f.Name, system: f.Name, file: f.File, line: f.Line, start: f.StartLine})
	}
	return frames
}
