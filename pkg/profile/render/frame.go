package render

import (
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/google/pprof/profile"
)

// frame is one level of a stack as it is shown. Equal frames with the same parent are one.
type frame struct {
	name string
	kind kind
}

// levelFrames are the frames that stand below a stack's own.
func levelFrames(s *profile.Sample, above levels) []frame {
	var frames []frame
	if above.process {
		frames = append(frames, frame{processOf(s), kindProcess})
	}
	if above.thread {
		frames = append(frames, frame{threadOf(s), kindThread})
	}
	return frames
}

// locationFrames are the calls at a location, outermost first; those from inlined on are inlined.
func locationFrames(l *profile.Location) (frames []frame, inlined int) {
	if len(l.Line) == 0 {
		return []frame{{unknownName(l), kindNative}}, 1
	}
	for i, line := range slices.Backward(l.Line) { // pprof has the innermost inlined call first
		if fn := line.Function; fn != nil {
			frames = append(frames, frame{FunctionName(fn), kindOf(fn, l.Mapping)})
		}
		if i == len(l.Line)-1 {
			inlined = len(frames)
		}
	}
	return frames, inlined
}

// shortName leaves out a generic Go function's type arguments, as Go's tracebacks do: what stands
// there are the compiler's shapes, often long, and not the types of the source.
func shortName(fn *profile.Function) string {
	if !strings.HasSuffix(fn.Filename, ".go") {
		return fn.Name
	}
	return withoutTypes(fn.Name)
}

func withoutTypes(name string) string {
	open, end := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if open <= 0 || end < open {
		return name
	}
	return name[:open] + "[...]" + name[end+1:]
}

func unknownName(l *profile.Location) string {
	if l.Mapping == nil || l.Mapping.File == "" {
		return "[unknown]"
	}
	return "[" + printable(path.Base(l.Mapping.File)) + "]"
}

// printable replaces what must not reach a terminal or an XML file: control characters, which XML
// forbids even escaped (XML 1.0, production 2), and bytes that are not UTF-8. Names come from
// the target's binaries and are not to be trusted.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF || unicode.Is(unicode.Bidi_Control, r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// valueIndex is the sample type that is shown: the profile's default, else its last, as pprof does.
func valueIndex(p *profile.Profile) int {
	for i, t := range p.SampleType {
		if t.Type == p.DefaultSampleType {
			return i
		}
	}
	return len(p.SampleType) - 1
}
