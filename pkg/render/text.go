package render

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/google/pprof/profile"
)

// textRows bounds the table: who wants more has `go tool pprof -top`.
const textRows = 50

// writeText writes what the profile says of itself and a table of its hottest functions.
func writeText(w io.Writer, p *profile.Profile) error {
	out := bufio.NewWriter(w)
	for _, c := range p.Comments {
		fmt.Fprintln(out, printable(c))
	}
	s := Summarize(p, textRows)
	fmt.Fprintf(out, "total: %s in %d samples\n\n", Quantity(s.Total, s.Unit), s.Samples)
	if s.Samples == 0 {
		fmt.Fprintln(out, emptyReason(p))
		return out.Flush()
	}
	fmt.Fprintf(out, "%10s %6s %10s %6s  function\n", "flat", "flat%", "cum", "cum%")
	for _, e := range s.Functions {
		fmt.Fprintf(out, "%10s %5.1f%% %10s %5.1f%%  %s\n",
			Quantity(e.Flat, s.Unit), percent(e.Flat, s.Total), Quantity(e.Cum, s.Unit), percent(e.Cum, s.Total), e.Name)
	}
	if levelsOf(p).thread {
		fmt.Fprintf(out, "\n%10s %6s  threads of the name\n", "total", "total%")
		names := threads(p)
		for _, e := range names[:min(len(names), textRows)] {
			fmt.Fprintf(out, "%10s %5.1f%%  %s\n", Quantity(e.Flat, s.Unit), percent(e.Flat, s.Total), e.Name)
		}
	}
	return out.Flush()
}

// Quantity writes a value with its unit as people read it: time in seconds, counts as they are.
func Quantity(value int64, unit string) string {
	if unit == "nanoseconds" {
		return fmt.Sprintf("%.2fs", time.Duration(value).Seconds())
	}
	return fmt.Sprintf("%d %s", value, unit)
}

func percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// emptyReason says why there is nothing to show.
func emptyReason(p *profile.Profile) string {
	if reason := comment(p, "partial"); reason != "" {
		return "No samples: " + reason
	}
	return fmt.Sprintf("No samples: the container used no CPU in these %v. For what it waits on, CPU samples cannot tell.",
		time.Duration(p.DurationNanos).Round(100*time.Millisecond))
}
