// Package render writes profiles in the formats that people and tools read. Its entry points are Write and, for the profile
// embedded in SVG and HTML files, Read. It must not depend on where a profile came from: pod and node are read from the profile's
// comments.
package render

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// Format is a file format for profiles.
type Format string

const (
	SVG    Format = "svg"    // flame graph in a self-contained file
	HTML   Format = "html"   // flame graph in a page, drawn to the size of the window
	Pprof  Format = "pprof"  // gzipped protocol buffer, for `go tool pprof`
	Folded Format = "folded" // one line per stack, "root;…;leaf count", as stackcollapse scripts print
	JSON   Format = "json"   // the tree of frames and the functions, see docs/json.md
	Text   Format = "text"   // table of the hottest functions, or a traceback of goroutines
	Tree   Format = "tree"   // flame graph in characters, for a terminal
	PNG    Format = "png"    // flame graph as an image

	Speedscope Format = "speedscope" // for www.speedscope.app
)

// formats lists all formats with the endings of their files, the usual one first, and their writers.
var formats = []struct {
	name    Format
	endings []string
	write   func(io.Writer, *profile.Profile) error
}{
	{SVG, []string{".svg"}, writeSVG},
	{HTML, []string{".html", ".htm"}, writeHTML},
	{Pprof, []string{".pb.gz", ".pprof", ".prof", ".pb"}, func(w io.Writer, p *profile.Profile) error { return p.Write(w) }},
	{Folded, []string{".folded", ".collapsed"}, writeFolded},
	{Speedscope, []string{".speedscope.json"}, writeSpeedscope}, // before JSON, whose ending it ends with
	{JSON, []string{".json"}, writeJSON},
	{Text, []string{".txt"}, writeText},
	{Tree, []string{".tree"}, writePlainTree},
	{PNG, []string{".png"}, writeDefaultPNG},
}

// Formats returns all formats.
func Formats() []Format {
	var names []Format
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// Ending returns the usual ending of a format's files with its dot, or "" for an unknown format.
func (f Format) Ending() string {
	for _, row := range formats {
		if row.name == f {
			return row.endings[0]
		}
	}
	return ""
}

// FormatOf returns the format that the ending of a path stands for and reports whether there is one.
func FormatOf(path string) (Format, bool) {
	format, ending := byEnding(path)
	return format, ending != ""
}

// EndingOf returns the ending of a path, with its dot, if it stands for a format, else "".
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

// limitedWriter fails when more than room bytes are written. Text forms repeat names, so a small
// profile of long names could fill the disk.
type limitedWriter struct {
	w      io.Writer
	room   int
	format Format
}

func (l *limitedWriter) Write(b []byte) (int, error) {
	if l.room -= len(b); l.room < 0 {
		return 0, fmt.Errorf("the profile has more than %d MiB as %s: write it as pprof", limits.MaxFile>>20, l.format)
	}
	return l.w.Write(b)
}

// Write writes the profile in the given format. The profile must be symbolized: a location without a function is shown by the name
// of its object file.
func Write(w io.Writer, p *profile.Profile, f Format) error {
	if len(p.SampleType) == 0 {
		return errors.New("the profile has no sample type, so it has no values to show")
	}
	for _, row := range formats {
		if row.name == f {
			return row.write(&limitedWriter{w, limits.MaxFile, f}, p)
		}
	}
	return fmt.Errorf("unknown format %q: one of %v", f, Formats())
}
