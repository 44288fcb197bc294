package render

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// writeFolded writes a line for each distinct stack: the frames from root to leaf separated by semicolons, a space, and the number
// of samples, or the value shown if the profile does not count samples. Semicolons in names become colons.
func writeFolded(w io.Writer, p *profile.Profile) error {
	lines, frames := map[string]int64{}, newFrameTable(p, levelsOf(p))
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
		for i, f := range frames.stackOf(s) {
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

// countsSamples reports whether the first values of a profile are numbers of samples.
func countsSamples(p *profile.Profile) bool {
	return p.SampleType[0].Type == "samples" && p.SampleType[0].Unit == "count"
}
