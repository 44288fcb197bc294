package symbol

import (
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/symbol/gopclntab"
)

// goFrames gives the frames that runtime/pprof would show for an address.
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
		frames = append(frames, frame{name: goName(f.Name), system: f.Name, file: f.File, line: f.Line, start: f.StartLine})
	}
	return frames
}

// goName shortens a generic function's type arguments to [...], as the runtime's funcNameForPrint and
// with it runtime/pprof do: what stands there are shapes, not the types of the source.
func goName(name string) string {
	open := strings.IndexByte(name, '[')
	if open < 0 {
		return name
	}
	end := strings.LastIndexByte(name, ']')
	if end <= open {
		return name
	}
	return name[:open] + "[...]" + name[end+1:]
}
