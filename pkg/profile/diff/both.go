package diff

import (
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/merge"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// both returns one profile that holds the two, for the picture to carry. Its types of value are "before" and "after". Process
// and thread IDs and times are left out: they differ between captures of the same code. The comments tell the script in the
// picture how to compare.
func (d *Diff) both() (*profile.Profile, error) {
	several := max(countProcesses(d.before.p), countProcesses(d.after.p)) > 1
	p, err := merge.SideBySide(
		merge.Side{Name: "before", Profile: withoutLabels(d.before.p, several), Index: d.before.index},
		merge.Side{Name: "after", Profile: withoutLabels(d.after.p, several), Index: d.after.index})
	if err != nil {
		return nil, err
	}
	p.DefaultSampleType, p.TimeNanos = "after", d.after.p.TimeNanos
	meta.DifferenceOf.Add(p, d.Type)
	meta.Before.Add(p, d.sideTotal(d.before))
	meta.After.Add(p, d.sideTotal(d.after))
	meta.SampleQuanta.Add(p, meta.Quanta{Before: d.before.quantum, After: d.after.quantum})
	if d.Normalized {
		meta.Compared.Add(p, meta.AsShares)
	}
	return p, nil
}

// withoutLabels returns a copy of a profile without labels, which would keep equal stacks of the two profiles apart. With
// processes it keeps the names of those.
func withoutLabels(p *profile.Profile, processes bool) *profile.Profile {
	p = p.Copy()
	for _, s := range p.Sample {
		name := processName(s)
		s.Label, s.NumLabel, s.NumUnit = nil, nil, nil
		if processes {
			meta.ProcessLabel.Set(s, name)
			meta.PIDLabel.Set(s, pidFor(name))
		}
	}
	return p
}

// pidFor returns a process ID made from a process's name, so that it is the same on both sides.
func pidFor(name string) (n int64) {
	for _, b := range []byte(name) {
		n = (n*31 + int64(b)) % 1_000_003
	}
	return n + 1
}
