package render

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/google/pprof/profile"
)

// textRows bounds the table: who wants more has `go tool pprof -top`.
const textRows = 50

// writeText writes what the profile says of itself and a table of its hottest functions, or a traceback of goroutines.
func writeText(w io.Writer, p *profile.Profile) error {
	out := bufio.NewWriter(w)
	for _, c := range p.Comments {
		fmt.Fprintln(out, printable(c))
	}
	s := Summarize(p, textRows)
	fmt.Fprintf(out, "total: %s", Quantity(s.Total, s.Unit))
	if countsSamples(p) {
		fmt.Fprintf(out, " in %d samples", s.Samples)
	}
	fmt.Fprint(out, "\n\n")
	if tellsGoroutines(p) {
		writeTraceback(out, p)
		return out.Flush()
	}
	if len(s.Functions) == 0 {
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

// seconds are the units of time in profiles, in seconds.
var seconds = map[string]float64{"nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1}

// Quantity writes a value with its unit as people read it: time in seconds, bytes in binary
// multiples, counts as they are.
func Quantity(value int64, unit string) string {
	if s, ok := seconds[unit]; ok {
		return fmt.Sprintf("%.2fs", float64(value)*s)
	}
	if unit == "count" {
		return strconv.FormatInt(value, 10)
	}
	if unit != "bytes" {
		return fmt.Sprintf("%d %s", value, printable(unit))
	}
	scaled, prefixes := float64(value), "KMGTPE"
	if math.Abs(scaled) < 1024 {
		return fmt.Sprintf("%dB", value)
	}
	for scaled /= 1024; math.Abs(scaled) >= 1024; scaled /= 1024 {
		prefixes = prefixes[1:]
	}
	return fmt.Sprintf("%.1f%ciB", scaled, prefixes[0])
}

func percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / math.Abs(float64(whole)) // a difference of profiles may be negative
}

// emptyReason says why there is nothing to show.
func emptyReason(p *profile.Profile) string {
	if reason := comment(p, "partial"); reason != "" {
		return "No samples: " + reason
	}
	return fmt.Sprintf("No samples: the container used no CPU in these %v. For what it waits on, CPU samples cannot tell.",
		time.Duration(p.DurationNanos).Round(100*time.Millisecond))
}
