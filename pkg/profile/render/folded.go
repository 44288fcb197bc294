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
	lines, frames := map[string]int64{}, framesOf(p, levelsOf(p))
	for i, f := range frames.all {
		frames.all[i].name = strings.ReplaceAll(f.name, ";", ":")
	}
	index := valueIndex(p)
	if countsSamples(p) {
		index = 0
	}
	var line []byte
	for _, s := range p.Sample {
		line = line[:0]
		for i, f := range frames.of(s) {
			if i > 0 {
				line = append(line, ';')
			}
			line = append(line, frames.all[f].name...)
		}
		lines[string(line)] += s.Value[index]
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
