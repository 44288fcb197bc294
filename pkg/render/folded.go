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
// space, the number of samples. A semicolon in a name would be read as a border between frames,
// so it becomes a colon.
func writeFolded(w io.Writer, p *profile.Profile) error {
	lines, above := map[string]int64{}, levelsOf(p)
	for _, s := range p.Sample {
		var names []string
		for _, f := range stack(s, above) {
			names = append(names, strings.ReplaceAll(f.name, ";", ":"))
		}
		lines[strings.Join(names, ";")] += s.Value[0]
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
