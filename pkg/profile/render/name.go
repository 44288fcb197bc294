package render

import (
	"strings"

	"github.com/google/pprof/profile"
)

// maxName is the longest function name that is shown, in bytes. Names of C++ templates can be longer; pprof files and embedded
// profiles keep them. Pictures and trees measure a name once for each frame.
const maxName = 64 << 10

// FunctionName returns a function's name as all formats show it. The end of a long name is replaced by an ellipsis.
func FunctionName(f *profile.Function) string {
	name := shortName(f)
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	return printable(name)
}

// FrameNames returns the names of the frames at a location as all formats show them, outermost first, inlined calls included.
func FrameNames(l *profile.Location) []string {
	var names []string
	frames, _ := locationFrames(l)
	for _, f := range frames {
		names = append(names, f.name)
	}
	return names
}

// Printable replaces characters that must not reach a terminal or an XML file by U+FFFD.
func Printable(s string) string { return printable(s) }

// Escape escapes text for XML and HTML.
func Escape(s string) string { return escape(s) }

// ValueIndex returns the index of the sample type that is shown: the default, else the last one.
func ValueIndex(p *profile.Profile) int { return valueIndex(p) }

// GoPackage returns the import path in a Go function's name.
func GoPackage(f *profile.Function) string { return goPackage(f.Name) }

// Fit shortens a name to the width of a frame in pixels, at the usual font size. It returns "" if the frame is too narrow.
func Fit(name string, width float64) string { return fit(name, width) }
