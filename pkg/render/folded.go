package render

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// writeFolded writes a line for each distinct stack: frames from root to leaf between semicolons, a
// space, the number of samples, or the value shown where that is no time: bytes, for one. A semicolon in
// a name would be read as a border between frames, so it becomes a colon.
func writeFolded(w io.Writer, p *profile.Profile) error {
	lines, above := map[string]int64{}, levelsOf(p)
	index := valueIndex(p)
	if countsSamples(p) {
		index = 0
	}
	for _, s := range p.Sample {
		var names []string
		for _, f := range stack(s, above) {
			names = append(names, strings.ReplaceAll(f.name, ";", ":"))
		}
		lines[strings.Join(names, ";")] += s.Value[index]
	}
	keys := make([]string, 0, len(lines))
	for k := range lines {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := bufio.NewWriter(w)
	for _, k := range keys {
		fmt.Fprintf(out, "%s %d\n", k, lines[k])
	}
	return out.Flush()
}

// countsSamples tells whether a profile's first values are the number of samples that its times are made of.
func countsSamples(p *profile.Profile) bool {
	return p.SampleType[0].Type == "samples" && p.SampleType[0].Unit == "count"
}
