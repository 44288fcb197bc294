package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// heading is what the forms without markup say above a flame graph: what was profiled, where, and how much of it there is.
func heading(p *profile.Profile) (title, where, what string) {
	s := Summarize(p, 0)
	typ := p.SampleType[valueIndex(p)]
	title = strings.TrimSuffix(comment(p, "pod")+" · "+comment(p, "container"), " · ")
	if title == "" {
		title = printable(typ.Type) + " profile"
	}
	var places []string
	for _, key := range []string{"node", "image"} {
		if v := comment(p, key); v != "" {
			places = append(places, key+" "+v)
		}
	}
	var facts []string
	if index := valueIndex(p); index > 0 || !countsSamples(p) {
		facts = append(facts, fmt.Sprintf("%s of %s", Quantity(s.Total, s.Unit), printable(typ.Type)))
	}
	if p.DurationNanos > 0 {
		facts = append(facts, fmt.Sprintf("in %.1fs", time.Duration(p.DurationNanos).Seconds()))
	}
	if countsSamples(p) {
		facts = append(facts, fmt.Sprintf("%d samples", s.Samples))
	}
	for _, key := range []string{"frequency", "lost samples", "partial", "filter"} {
		if v := comment(p, key); v != "" && v != "0" {
			facts = append(facts, key+" "+v)
		}
	}
	return title, strings.Join(places, " · "), strings.Join(facts, " · ")
}
