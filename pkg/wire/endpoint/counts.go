package endpoint

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/google/pprof/profile"
)

// writeCounts writes a profile of counts like runtime/pprof with debug=1 (printCountProfile): one block per stack, the most frequent
// first.
func writeCounts(w io.Writer, name string, p *profile.Profile) {
	count := map[string]int64{}
	stacks := map[string][]*profile.Location{}
	var total int64
	for _, s := range p.Sample {
		var key strings.Builder
		for _, l := range s.Location {
			fmt.Fprintf(&key, " %#x", l.Address)
		}
		count[key.String()] += s.Value[0]
		stacks[key.String()] = s.Location
		total += s.Value[0]
	}
	keys := make([]string, 0, len(count))
	for key := range count {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	fmt.Fprintf(w, "%s profile: total %d\n", name, total)
	table := tabwriter.NewWriter(w, 1, 8, 1, '\t', 0)
	for _, key := range keys {
		fmt.Fprintf(table, "%d @%s\n", count[key], key)
		for _, l := range stacks[key] {
			for _, line := range l.Line {
				if line.Function != nil {
					fmt.Fprintf(table, "#\t%#x\t%s\t%s:%d\n", l.Address, line.Function.Name, line.Function.Filename, line.Line)
				}
			}
		}
		fmt.Fprintln(table)
	}
	table.Flush()
}
