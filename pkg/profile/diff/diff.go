// Package diff compares two profiles: which functions use more of a resource than before, which use less, which are new and which
// are gone. Its entry point is Compare; a Diff is written as a table, a flame graph or a profile of differences. It must not
// depend on where the profiles came from. Functions are compared by the names that pkg/profile/render shows.
package diff

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// Diff is a comparison of two profiles.
type Diff struct {
	Type, Unit string
	Normalized bool // compare shares of the profile instead of values
	Root       *Node
	Functions  []Function // largest change of the self value first

	before, after side
}

// Node is a frame in the tree of the stacks of both profiles.
type Node struct {
	Name     string
	Change           // callees included
	Children []*Node // by name
}

// Function has the values of a function over all stacks.
type Function struct {
	Name string
	Self Change // on top of the stack
	Cum  Change // anywhere in the stack, a recursion counted once
}

// Change is a value in both profiles, in the unit of the Diff.
type Change struct{ Before, After int64 }

// side is one of the two profiles.
type side struct {
	p     *profile.Profile
	index int // of the value that is compared
	total int64
	// quantum is the value of one sample, or 0 if values are not counted in samples.
	quantum float64
	// scale is the factor by which values are multiplied before they are compared.
	scale float64
}

// Compare compares the values that after shows by default. With normalize it compares shares of the total, for profiles of
// different duration or load. Either profile may be without samples. Values of the same type in different units of time or memory
// are converted.
func Compare(before, after *profile.Profile, normalize bool) (*Diff, error) {
	before, after, err := inSameUnits(before, after)
	if err != nil {
		return nil, err
	}
	typ := after.SampleType[render.ValueIndex(after)]
	index := slices.IndexFunc(before.SampleType, func(t *profile.ValueType) bool { return t.Type == typ.Type && t.Unit == typ.Unit })
	if index < 0 {
		t := before.SampleType[render.ValueIndex(before)]
		return nil, fmt.Errorf("the profiles cannot be compared: one has values of %q in %q, the other of %q in %q", t.Type, t.Unit, typ.Type, typ.Unit)
	}
	d := &Diff{
		Type: typ.Type, Unit: typ.Unit, Normalized: normalize,
		before: newSide(before, index), after: newSide(after, render.ValueIndex(after)),
	}
	if normalize && d.before.total != 0 && d.after.total != 0 {
		d.before.scale = float64(d.after.total) / float64(d.before.total)
	}
	d.merge()
	return d, nil
}

func newSide(p *profile.Profile, index int) side {
	s := side{p: p, index: index, scale: 1}
	var count int64
	for _, sample := range p.Sample {
		s.total += sample.Value[index]
		count += sample.Value[0]
	}
	if t := p.SampleType[0]; t.Type == "samples" && t.Unit == "count" && count > 0 {
		s.quantum = float64(s.total) / float64(count)
	}
	return s
}

// Total returns the sum of all values.
func (d *Diff) Total() Change { return Change{d.before.total, d.after.total} }

// Delta returns by how much a value has grown, on the scale of the profile after.
func (d *Diff) Delta(c Change) float64 {
	return float64(c.After)*d.after.scale - float64(c.Before)*d.before.scale
}

// deviations is the number of standard deviations from which a change counts as significant. Of 370 random changes one is as
// large.
const deviations = 3

// significant reports whether a change is larger than two profiles of the same program would differ by chance. The number of
// samples in a function follows a Poisson distribution: its variance equals its mean.
func (d *Diff) significant(c Change) bool {
	variance := math.Abs(float64(c.After))*d.after.quantum*d.after.scale*d.after.scale +
		math.Abs(float64(c.Before))*d.before.quantum*d.before.scale*d.before.scale
	delta := d.Delta(c)
	return delta != 0 && delta*delta > deviations*deviations*variance
}

// New reports whether the value was 0 before.
func (c Change) New() bool { return c.Before == 0 && c.After != 0 }

// isGone reports whether the value is 0 after.
func (c Change) isGone() bool { return c.Before != 0 && c.After == 0 }

func compareNames(a, b *Node) int { return cmp.Compare(a.Name, b.Name) }
