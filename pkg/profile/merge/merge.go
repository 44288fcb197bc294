// Package merge makes one profile of several. Its entry points are Profiles, for profiles taken one after another or in several
// places, and Subtract and SideBySide, for two that are compared. It must not depend on how profiles are read or shown.
package merge

import (
	"errors"
	"fmt"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Profiles returns the sum of profiles of the same type. Their comments are joined as package meta declares for each key.
func Profiles(parts ...*profile.Profile) (*profile.Profile, error) {
	if len(parts) == 0 {
		return nil, errors.New("no profiles to merge")
	}
	merged, err := profile.Merge(parts)
	if err != nil {
		return nil, err
	}
	comments := make([][]string, len(parts))
	for i, p := range parts {
		comments[i] = p.Comments
	}
	merged.Comments = meta.Join(comments...)
	if err := limits.Check(merged); err != nil { // each part is within the limits, but not their sum
		return nil, fmt.Errorf("the profiles cannot be merged: %w", err)
	}
	return merged, nil
}

// Subtract returns after minus before, for values that only grow, such as allocations. The result covers the time between the
// two and has the comments of after. Before is changed.
func Subtract(after, before *profile.Profile) (*profile.Profile, error) {
	before.Scale(-1)
	p, err := profile.Merge([]*profile.Profile{before, after})
	if err != nil {
		return nil, err
	}
	p.TimeNanos, p.DurationNanos = after.TimeNanos, after.TimeNanos-before.TimeNanos
	p.Comments = after.Comments
	return p, nil
}

// SideBySide returns a profile with one value for each of the sides, named for them. Of each side it takes the value with the
// given index. Samples without that value are left out, and so is what belongs to one side alone: times, periods, comments.
// The sides are changed.
func SideBySide(sides ...Side) (*profile.Profile, error) {
	types := make([]*profile.ValueType, len(sides))
	for i, s := range sides {
		types[i] = &profile.ValueType{Type: s.Name, Unit: s.Profile.SampleType[s.Index].Unit}
	}
	parts := make([]*profile.Profile, len(sides))
	for i, s := range sides {
		parts[i] = s.column(i, types)
	}
	p, err := profile.Merge(parts)
	if err != nil {
		return nil, fmt.Errorf("one profile cannot hold both sides: %w", err)
	}
	p.SampleType, p.Comments = types, nil
	p.TimeNanos, p.DurationNanos = 0, 0
	return p, nil
}

// Side is one of the profiles of SideBySide.
type Side struct {
	Name    string // type of the values in the result
	Profile *profile.Profile
	Index   int // of the value that is taken
}

// column returns the side's profile with its values at one of the places of types.
func (s Side) column(at int, types []*profile.ValueType) *profile.Profile {
	p := s.Profile
	p.SampleType, p.Comments = types, nil
	p.PeriodType, p.Period, p.DefaultSampleType = &profile.ValueType{}, 0, ""
	p.DropFrames, p.KeepFrames, p.DocURL = "", "", ""
	kept := p.Sample[:0]
	for _, sample := range p.Sample {
		value := sample.Value[s.Index]
		if value == 0 {
			continue
		}
		sample.Value = make([]int64, len(types))
		sample.Value[at] = value
		kept = append(kept, sample)
	}
	p.Sample = kept
	return p.Compact()
}
