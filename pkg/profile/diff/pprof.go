package diff

import (
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// WritePprof writes after minus before as a profile, which may have negative values. The samples of before have the label
// pprof::base: `go tool pprof` shows shares of their total.
func (d *Diff) WritePprof(w io.Writer) error {
	before, after := d.before.p.Copy(), d.after.p.Copy()
	if err := profile.CompatibilizeSampleTypes([]*profile.Profile{before, after}); err != nil {
		return fmt.Errorf("one profile cannot hold both: %w", err)
	}
	for _, s := range before.Sample {
		meta.BaseLabel.Set(s, "true")
	}
	before.Scale(-d.before.scale)
	// Merge requires equal periods; in a difference they have no meaning.
	before.PeriodType, after.PeriodType = &profile.ValueType{}, &profile.ValueType{}
	p, err := profile.Merge([]*profile.Profile{after, before})
	if err != nil {
		return fmt.Errorf("one profile cannot hold both: %w", err)
	}
	meta.Difference.Add(p, "after minus before")
	return p.Write(w)
}
