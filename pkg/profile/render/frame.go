package render

import (
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/google/pprof/profile"
)

// frame is a level of a stack as it is shown. Equal frames with the same parent are merged.
type frame struct {
	name string
	kind kind
}

// levelFrames returns the frames for process and thread, which come before the frames of a sample's stack.
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

// locationFrames returns the calls at a location, outermost first. Calls from the index inlined on are inlined.
func locationFrames(l *profile.Location) (frames []frame, inlined int) {
	if len(l.Line) == 0 {
		return []frame{{unknownName(l), kindNative}}, 1
	}
	for i, line := range slices.Backward(l.Line) { // in pprof the innermost inlined call is first
		if fn := line.Function; fn != nil {
			frames = append(frames, frame{FunctionName(fn), kindOf(fn, l.Mapping)})
		}
		if i == len(l.Line)-1 {
			inlined = len(frames)
		}
	}
	return frames, inlined
}

// shortName returns a function's name without the type arguments of generic Go functions, as in Go's tracebacks. These are
// shapes of the compiler, often long, and not the types in the source.
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

// printable replaces characters that must not reach a terminal or an XML file: control characters, which XML forbids even if
// escaped (XML 1.0, production 2), and bytes that are not UTF-8. Names come from the target's binaries and are not trusted.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF || unicode.Is(unicode.Bidi_Control, r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// valueIndex returns the index of the sample type that is shown: the profile's default, else its last, as in pprof.
func valueIndex(p *profile.Profile) int {
	for i, t := range p.SampleType {
		if t.Type == p.DefaultSampleType {
			return i
		}
	}
	return len(p.SampleType) - 1
}
