package render

import "github.com/google/pprof/profile"

// FunctionName is a function's name as every form shows it.
func FunctionName(f *profile.Function) string { return printable(shortName(f)) }

// FrameNames are the names of the frames at a location as every form shows them, root first, inlined calls included.
func FrameNames(l *profile.Location) []string {
	var names []string
	frames, _ := locationFrames(l)
	for _, f := range frames {
		names = append(names, f.name)
	}
	return names
}

// Printable replaces what must reach neither a terminal nor an XML file.
func Printable(s string) string { return printable(s) }

// ValueIndex is the place of the sample type that is shown, in a profile that has any.
func ValueIndex(p *profile.Profile) int { return valueIndex(p) }

// GoPackage is the import path in a Go function's name.
func GoPackage(f *profile.Function) string { return goPackage(f.Name) }

// Fit shortens a name to what a frame of a width in pixels has room for at the usual size of text; "" if that is too little.
func Fit(name string, width float64) string { return fit(name, width) }
