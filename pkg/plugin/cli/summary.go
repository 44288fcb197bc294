package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// hottest is how many functions the summary names.
const hottest = 5

// summarize prints the outcome: of each profile the functions with the largest own share and the
// amounts, then what stays in the cluster and where the files are.
func summarize(w io.Writer, o *session.Outcome, paths []string) {
	for _, r := range o.Results {
		if r.Profile != nil {
			summarizeResult(w, r, len(o.Results) > 1)
		}
	}
	reportLeftContainer(w, o.LeftContainer)
	for _, path := range paths {
		fmt.Fprintf(w, "wrote %s\n", path)
	}
	if o.KeptFor > 0 {
		fmt.Fprintf(w, "the profiler waits %v for another profile of this container\n", o.KeptFor)
	}
}

// reportLeftContainer prints that an ephemeral container stays in the cluster, if there is one.
func reportLeftContainer(w io.Writer, name string) {
	if name != "" {
		fmt.Fprintf(w, "ephemeral container %s stays in the pod's spec; Kubernetes never removes it\n", name)
	}
}

// summarizeResult prints what one profile holds; named adds its type.
func summarizeResult(w io.Writer, r *session.Result, named bool) {
	s := render.Summarize(r.Profile, hottest)
	name, cpu := "", r.Request.Type == api.CPU
	if named {
		name = r.Request.Type.Name + ": "
	}
	switch {
	case s.Total == 0:
		fmt.Fprintf(w, "%s%s\n", name, render.EmptyReason(r.Profile))
	case cpu:
		fmt.Fprintf(w, "%shottest functions: own share, share with callees\n", name)
	default:
		fmt.Fprintf(w, "%sfunctions with the most %s: own share, share with callees\n", name, shownType(r.Profile))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, f := range s.Functions {
		if f.Flat == 0 {
			break // those only call others
		}
		fmt.Fprintf(table, "%.1f%%\t%.1f%%\t  %s\n",
			render.Percent(f.Flat, s.Total), render.Percent(f.Cum, s.Total), shorten(f.Name, maxName))
	}
	table.Flush()
	fmt.Fprintln(w, extent(r))
}

// extent returns how much a profile holds.
func extent(r *session.Result) string {
	s := render.Summarize(r.Profile, 0)
	text := amounts(r.Profile)
	if r.Request.Type == api.CPU {
		text = count(s.Samples, "sample")
	}
	text += " of " + count(int64(s.Processes), "process")
	if !r.Request.Instant() {
		text += fmt.Sprintf(" in %v", time.Duration(r.Profile.DurationNanos).Round(100*time.Millisecond))
	}
	if lost := meta.LostSamples.Get(r.Profile); lost > 0 {
		text += fmt.Sprintf(", %d lost", lost)
	}
	return text
}

// shownType returns the name of the values that are shown, such as "inuse space" or "goroutines".
func shownType(p *profile.Profile) string {
	i := render.ValueIndex(p)
	if i < 0 {
		return "samples"
	}
	return plural(p.SampleType[i])
}

// plural returns the name of a type of values, in the plural if it counts something.
func plural(t *profile.ValueType) string {
	name := strings.ReplaceAll(shorten(render.Printable(t.Type), maxName), "_", " ")
	if t.Unit == "count" && !strings.HasSuffix(name, "s") {
		name += "s"
	}
	return name
}

// amounts returns the sum of each type of value, such as "12 inuse objects, 3.0MiB inuse space".
func amounts(p *profile.Profile) string {
	var all []string
	for i, t := range p.SampleType {
		var sum int64
		for _, s := range p.Sample {
			sum += s.Value[i]
		}
		if t.Unit == "count" {
			all = append(all, count(sum, strings.TrimSuffix(plural(t), "s")))
		} else {
			all = append(all, render.Quantity(sum, t.Unit)+" "+plural(t))
		}
	}
	return strings.Join(all, ", ")
}

// count returns a number with its noun, such as "1 sample" or "2,345 samples".
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

// maxName is how many characters of a name from the target are printed.
const maxName = 120

// shorten cuts a text after a number of characters.
func shorten(text string, most int) string {
	if characters := []rune(text); len(characters) > most {
		return string(characters[:most]) + "…"
	}
	return text
}
