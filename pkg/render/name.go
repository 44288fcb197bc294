package render

import "github.com/google/pprof/profile"

// FunctionName is a function's name as every form shows it.
func FunctionName(f *profile.Function) string { return printable(shortName(f)) }

// FrameNames are the names of a sample's frames as every form shows them, root first, inlined calls included.
func FrameNames(s *profile.Sample) []string {
	frames := stack(s, levels{})
	names := make([]string, len(frames))
	for i, f := range frames {
		names[i] = f.name
	}
	return names
}

// ValueIndex is the place of the sample type that is shown, in a profile that has any.
func ValueIndex(p *profile.Profile) int { return valueIndex(p) }

// GoPackage is the import path in a Go function's name.
func GoPackage(f *profile.Function) string { return goPackage(f.Name) }
