package diff

import (
	"fmt"
	"io"

	"github.com/google/pprof/profile"
)

// WritePprof writes after minus before as a profile with negative values. `go tool pprof` takes samples with the label
// pprof::base for what shares are shares of.
func (d *Diff) WritePprof(w io.Writer) error {
	before, after := d.before.p.Copy(), d.after.p.Copy()
	if err := profile.CompatibilizeSampleTypes([]*profile.Profile{before, after}); err != nil {
		return fmt.Errorf("one profile cannot hold both: %w", err)
	}
	before.SetLabel("pprof::base", []string{"true"})
	before.Scale(-d.before.scale)
	// Periods must be equal and mean nothing in a difference.
	before.PeriodType, after.PeriodType = &profile.ValueType{}, &profile.ValueType{}
	p, err := profile.Merge([]*profile.Profile{after, before})
	if err != nil {
		return fmt.Errorf("one profile cannot hold both: %w", err)
	}
	p.Comments = append(p.Comments, "difference: after minus before")
	return p.Write(w)
}
