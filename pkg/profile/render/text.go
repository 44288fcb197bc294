package render

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// textRows is the largest number of rows of the table. `go tool pprof -top` shows more.
const textRows = 50

// writeText writes the comments of the profile and a table of its hottest functions, or a traceback of goroutines.
func writeText(w io.Writer, p *profile.Profile) error { return writeReport(w, p, hasGoroutines(p)) }

// WriteTop writes what Write does for Text, but a table for goroutines too.
func WriteTop(w io.Writer, p *profile.Profile) error { return writeReport(w, p, false) }

func writeReport(w io.Writer, p *profile.Profile, traceback bool) error {
	out := bufio.NewWriter(w)
	for _, c := range p.Comments {
		fmt.Fprintln(out, printable(c))
	}
	s := Summarize(p, textRows)
	fmt.Fprintf(out, "total: %s", Amount(s))
	if s.Sampled {
		fmt.Fprintf(out, " in %d samples", s.Samples)
	}
	if others := otherTypes(p); len(others) > 0 {
		fmt.Fprintf(out, "; with --sample: %s", strings.Join(others, ", "))
	}
	fmt.Fprint(out, "\n\n")
	if traceback {
		writeTraceback(out, p)
		return out.Flush()
	}
	if len(s.Functions) == 0 {
		fmt.Fprintln(out, EmptyReason(p))
		return out.Flush()
	}
	fmt.Fprintf(out, "%10s %6s %10s %6s  function\n", "flat", "flat%", "cum", "cum%")
	for _, e := range s.Functions {
		fmt.Fprintf(out, "%10s %5.1f%% %10s %5.1f%%  %s\n",
			Quantity(e.Flat, s.Unit), Percent(e.Flat, s.Total), Quantity(e.Cum, s.Unit), Percent(e.Cum, s.Total), e.Name)
	}
	if levelsOf(p).thread {
		fmt.Fprintf(out, "\n%10s %6s  threads of the name\n", "total", "total%")
		names := sumThreads(p)
		for _, e := range names[:min(len(names), textRows)] {
			fmt.Fprintf(out, "%10s %5.1f%%  %s\n", Quantity(e.Flat, s.Unit), Percent(e.Flat, s.Total), e.Name)
		}
	}
	return out.Flush()
}

// otherTypes returns the types of the values that are not shown, without the number of samples, which the summary shows.
func otherTypes(p *profile.Profile) (names []string) {
	for i, t := range p.SampleType {
		if i != valueIndex(p) && (i > 0 || !countsSamples(p)) {
			names = append(names, printable(t.Type))
		}
	}
	return names
}

// seconds maps units of time in profiles to seconds.
var seconds = map[string]float64{"nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1}

// step is a unit in which values from its size on are shown. Time is in decimal multiples, bytes in binary ones.
type step struct {
	size float64
	name string
}

var (
	timeSteps = []step{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}
	byteSteps = []step{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}}
)

// Quantity returns a value with a unit of fitting size, such as "1.50s"; counts stay plain numbers. The script in pictures has the
// same function.
func Quantity(value int64, unit string) string {
	scaled, steps := float64(value), byteSteps
	if s, ok := seconds[unit]; ok {
		scaled, steps = scaled*s, timeSteps
	} else if unit == "count" {
		return strconv.FormatInt(value, 10)
	} else if unit != "bytes" {
		return fmt.Sprintf("%d %s", value, printable(unit))
	}
	if value == 0 {
		return "0"
	}
	for i, s := range steps {
		// A value that rounds to 1000 or 1024 of a unit is written as 1 of the next.
		if math.Abs(scaled) >= s.size*0.999995 || i == len(steps)-1 {
			if s.name == "B" || s.name == "ns" {
				return fmt.Sprintf("%.0f%s", scaled/s.size, s.name)
			}
			return fmt.Sprintf("%.2f%s", scaled/s.size, s.name)
		}
	}
	return "" // not reached: there are steps
}

// Amount returns the total with its type, such as "1.50s of cpu" or "12 goroutines".
func Amount(s Summary) string {
	switch {
	case s.Unit == "count" && (s.Type == "before" || s.Type == "after"): // the two sides of a difference are no nouns
		return Quantity(s.Total, s.Unit) + " " + s.Type
	case s.Unit == "count":
		return Quantity(s.Total, s.Unit) + " " + strings.TrimSuffix(s.Type, "s") + "s"
	}
	return Quantity(s.Total, s.Unit) + " of " + s.Type
}

// Percent returns part in percent of whole, or 0 if whole is 0.
func Percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / math.Abs(float64(whole)) // a difference of profiles may be negative
}

// EmptyReason returns a sentence on why there is nothing to show.
func EmptyReason(p *profile.Profile) string {
	during := ""
	if p.DurationNanos > 0 {
		during = fmt.Sprintf(" in these %v", time.Duration(p.DurationNanos).Round(100*time.Millisecond))
	}
	switch reason := printable(meta.Partial.Get(p)); {
	case reason != "":
		return "No samples: " + reason
	case meta.Filter.Get(p) != "":
		return "No samples: the filter leaves nothing."
	case typeName(p) == "cpu":
		return fmt.Sprintf("No samples: the container used no CPU%s. CPU samples do not show what it waits for.", during)
	}
	return fmt.Sprintf("No samples of %s%s: there was nothing to record.", typeName(p), during)
}
