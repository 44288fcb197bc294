package diff

import (
	"fmt"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// both is one profile that holds the two, for the picture to carry: its types of value are "before" and "after". What
// differs from one capture to the next and says nothing of the code is left out: numbers of processes and threads, times.
// The script in the picture finds in its comments how to compare.
func (d *Diff) both() (*profile.Profile, error) {
	several := max(names(d.before.p), names(d.after.p)) > 1
	sides := []*profile.Profile{d.before.only(0, several), d.after.only(1, several)}
	if len(sides[0].Sample)+len(sides[1].Sample) == 0 {
		sides = sides[1:] // Merge gives no types for two that are empty
	}
	p, err := profile.Merge(sides)
	if err != nil {
		return nil, fmt.Errorf("one profile cannot hold both: %w", err)
	}
	p.SampleType = sides[0].SampleType
	p.DefaultSampleType, p.TimeNanos, p.DurationNanos = "after", d.after.p.TimeNanos, 0
	p.Comments = []string{
		"difference of: " + d.Type, "before: " + d.whole(d.before), "after: " + d.whole(d.after),
		fmt.Sprintf("one sample stands for: before %g, after %g", d.before.quantum, d.after.quantum),
	}
	if d.Normalized {
		p.Comments = append(p.Comments, "compared: as shares")
	}
	return p, nil
}

// only is a side's profile with its values in one of two places.
func (s side) only(at int, several bool) *profile.Profile {
	p := s.p.Copy()
	unit := p.SampleType[s.index].Unit
	p.SampleType = []*profile.ValueType{{Type: "before", Unit: unit}, {Type: "after", Unit: unit}}
	p.PeriodType, p.Period, p.DefaultSampleType = &profile.ValueType{}, 0, ""
	p.DropFrames, p.KeepFrames, p.DocURL = "", "", ""
	p.Sample = slices.DeleteFunc(p.Sample, func(sample *profile.Sample) bool {
		value := sample.Value[s.index]
		sample.Value = make([]int64, 2)
		sample.Value[at] = value
		name := processOf(sample)
		sample.Label, sample.NumLabel, sample.NumUnit = nil, nil, nil
		if several {
			sample.Label = map[string][]string{"process": {render.Printable(name)}}
			sample.NumLabel = map[string][]int64{"pid": {number(name)}}
		}
		return value == 0
	})
	return p.Compact()
}

// number stands for a process of a name, the same on both sides.
func number(name string) (n int64) {
	for _, b := range []byte(name) {
		n = (n*31 + int64(b)) % 1_000_003
	}
	return n + 1
}
