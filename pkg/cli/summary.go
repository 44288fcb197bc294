package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/render"
)

// hottest is how many functions the summary names.
const hottest = 5

// summarize says what came out: the functions with the largest own share, the amount of samples,
// what stays in the cluster and where the files are.
func summarize(w io.Writer, p *profile.Profile, paths []string, session *launch.Session) {
	s := render.Summarize(p, hottest)
	if len(p.Sample) == 0 {
		fmt.Fprintln(w, render.EmptyReason(p))
	}
	if len(s.Functions) > 0 {
		fmt.Fprintln(w, "hottest functions: own share, share with callees")
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, f := range s.Functions {
		if f.Flat == 0 {
			break // those only call others
		}
		fmt.Fprintf(table, "%s\t%s\t  %s\n", percent(f.Flat, s.Total), percent(f.Cum, s.Total), printable(f.Name))
	}
	table.Flush()
	fmt.Fprintln(w, extent(p))
	tellRemains(w, session)
	for _, path := range paths {
		fmt.Fprintf(w, "wrote %s\n", path)
	}
}

// extent says how much a profile holds: samples where it counts them, else the sum of what it shows.
func extent(p *profile.Profile) string {
	s := render.Summarize(p, 0)
	text := render.Amount(s) + " in "
	if s.Sampled {
		text = count(s.Samples, "sample") + " of "
	}
	text += count(int64(s.Processes), "process")
	if p.DurationNanos > 0 {
		text += fmt.Sprintf(" in %v", time.Duration(p.DurationNanos).Round(100*time.Millisecond))
	}
	if lost := comment(p, "lost samples: "); lost != "" && lost != "0" {
		text += fmt.Sprintf(", %s lost", printable(lost))
	}
	return text
}

// tellRemains says what stays in the cluster.
func tellRemains(w io.Writer, session *launch.Session) {
	if session.Mode == launch.Ephemeral && !session.Reused {
		fmt.Fprintf(w, "ephemeral container %s stays in the pod's description; Kubernetes never removes those\n", session.Container)
	}
}

func percent(part, whole int64) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(part)/float64(whole))
}

// count gives "1 sample", "2,345 samples".
func count(n int64, what string) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	switch {
	case n == 1:
		return digits + " " + what
	case strings.HasSuffix(what, "s"):
		return digits + " " + what + "es"
	}
	return digits + " " + what + "s"
}

// comment finds the value of a "key: value" line of the profile.
func comment(p *profile.Profile, key string) string {
	for _, c := range p.Comments {
		if value, ok := strings.CutPrefix(c, key); ok {
			return value
		}
	}
	return ""
}

// printable replaces what a terminal might obey: names come from the target's binaries. Long ones
// are cut at 120 characters.
func printable(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > 120 {
			return b.String() + "…"
		}
		if !unicode.IsPrint(r) {
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}
