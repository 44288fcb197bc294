// Package bounded adds mappings, locations, functions and samples to a profile within limits, so
// that a hostile target cannot make the profile arbitrarily large. Its entry point is New. All code
// of pkg/node that puts something of the target into a profile uses it. It must not depend on where
// stacks and names come from.
package bounded

import (
	"fmt"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Limits on one profile. Large profiles of real programs, 30 s of 64 CPUs, have some 100,000
// locations, 50,000 stacks, 30,000 functions and 5 MB of names. A profile that reaches the first
// three of these limits takes 80 MB, because a location takes 150 bytes and a sample 200.
const (
	maxMappings  = 1 << 15 // those with sampled code; a process has about 20
	maxLocations = 1 << 18
	maxFunctions = 1 << 17
	maxLines     = 1 << 19 // of all locations together
	maxSamples   = 1 << 17
	maxFrames    = 1 << 21  // of all samples together
	maxAllText   = 16 << 20 // bytes of all distinct texts together: names, paths and labels
)

// Names of the functions that replace what is beyond the limits.
const (
	TooManyLocations = "[too many addresses]"
	TooManyFunctions = "[too many functions]"
	TooManyStacks    = "[too many stacks]"
)

// counts are the numbers of what was left out because of the limits.
type counts struct {
	mappings, frames, functions, inlined, stacks, texts int64
}

// Describe adds comments about what was left out.
func (p *Profile) Describe() {
	for _, c := range []struct {
		left  int64
		what  string
		limit int
		unit  string
	}{
		{p.leftOut.mappings, "frames' mappings", maxMappings, "mappings"},
		{p.leftOut.frames, "frames", maxLocations, "addresses"},
		{p.leftOut.functions, "frames' functions", maxFunctions, "functions"},
		{p.leftOut.inlined, "inlined calls", maxLines, "calls"},
		{p.leftOut.stacks, "stacks", maxSamples, "stacks"},
		{p.leftOut.texts, "names and labels", maxAllText >> 20, "MiB of them"},
	} {
		if c.left > 0 {
			meta.LeftOut.Add(p.Profile, fmt.Sprintf("%d %s, because a profile has at most %d %s", c.left, c.what, c.limit, c.unit))
		}
	}
}
