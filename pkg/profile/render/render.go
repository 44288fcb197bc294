// Package render turns a profile into the forms that people and tools read. Its one entry point is
// Write; it reads a *profile.Profile and nothing else. It must not know where a profile came from:
// what a picture says of pod and node stands in the profile's comments. SVG and HTML carry the whole
// profile, and Read gives it back.
package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/google/pprof/profile"
)

// Format is a form in which a profile is written.
type Format string

const (
	SVG    Format = "svg"    // flame graph, one self-contained file
	HTML   Format = "html"   // the same as a page, drawn to the window's size
	Pprof  Format = "pprof"  // gzipped protocol buffer, for `go tool pprof`
	Folded Format = "folded" // one line a stack, "root;…;leaf count", as stackcollapse scripts print
	JSON   Format = "json"   // the tree of frames and the functions, see docs/json.md
	Text   Format = "text"   // table of the hottest functions; of goroutines a traceback
	Tree   Format = "tree"   // flame graph of characters, for a terminal
	PNG    Format = "png"    // flame graph in pixels

	Speedscope Format = "speedscope" // for www.speedscope.app
)

// formats has a row for each format: the endings of its files, the usual one first, and its writer.
var formats = []struct {
	name    Format
	endings []string
	write   func(io.Writer, *profile.Profile) error
}{
	{SVG, []string{".svg"}, writeSVG},
	{HTML, []string{".html", ".htm"}, writeHTML},
	{Pprof, []string{".pb.gz", ".pprof", ".prof", ".pb"}, func(w io.Writer, p *profile.Profile) error { return p.Write(w) }},
	{Folded, []string{".folded", ".collapsed"}, writeFolded},
	{Speedscope, []string{".speedscope.json"}, writeSpeedscope}, // before the ending that it ends with
	{JSON, []string{".json"}, writeJSON},
	{Text, []string{".txt"}, writeText},
	{Tree, []string{".tree"}, writePlainTree},
	{PNG, []string{".png"}, writeDefaultPNG},
}

// Formats lists all formats.
func Formats() []Format {
	var names []Format
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// Ending is the usual ending of a format's files, with its dot; empty for an unknown format.
func (f Format) Ending() string {
	for _, row := range formats {
		if row.name == f {
			return row.endings[0]
		}
	}
	return ""
}

// FormatOf tells a file's format by its name's ending.
func FormatOf(path string) (Format, bool) {
	format, ending := byEnding(path)
	return format, ending != ""
}

// EndingOf is the ending that tells a file's format, with its dot; empty if none does.
func EndingOf(path string) string {
	_, ending := byEnding(path)
	return ending
}

func byEnding(path string) (Format, string) {
	for _, f := range formats {
		for _, e := range f.endings {
			if strings.HasSuffix(path, e) {
				return f.name, e
			}
		}
	}
	return "", ""
}

// Write writes the profile in the given format. The profile must be symbolized; a location without
// a function is shown by its mapping.
func Write(w io.Writer, p *profile.Profile, f Format) error {
	for _, row := range formats {
		if row.name == f {
			return row.write(w, p)
		}
	}
	return fmt.Errorf("unknown format %q: one of %v", f, Formats())
}
