// Package diff compares two profiles: what takes more of a resource than before, what less, what is new and what is gone. Its
// entry point is Compare; what it gives is written as a table, as a flame graph and as a profile of differences. It must
// not know where the profiles came from. Functions are compared by the names that pkg/profile/render shows.
package diff

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// Diff is the comparison of two profiles.
type Diff struct {
	Type, Unit string
	Normalized bool // values are compared as shares of their profile
	Root       *Node
	Functions  []Function // by the size of their own change, the largest first

	before, after side
}

// Node is a frame in the tree of both profiles' stacks.
type Node struct {
	Name     string
	Change           // with what it calls
	Children []*Node // by name
}

// Function is a function with its values over all stacks.
type Function struct {
	Name string
	Self Change // on top of the stack
	Cum  Change // anywhere in the stack, a recursion counted once
}

// Change is a value in both profiles, in the unit of the diff.
type Change struct{ Before, After int64 }

// side is what is known of one of the profiles.
type side struct {
	p     *profile.Profile
	index int
	total int64
	// quantum is what one sample stands for, 0 where values are not made of samples.
	quantum float64
	// scale is by what values are multiplied to be compared.
	scale float64
}

// Compare compares the values that after shows by default. With normalize it compares shares, for profiles of
// different lengths or loads. Either profile may have no samples.
func Compare(before, after *profile.Profile, normalize bool) (*Diff, error) {
	typ := after.SampleType[render.ValueIndex(after)]
	index := slices.IndexFunc(before.SampleType, func(t *profile.ValueType) bool { return t.Type == typ.Type && t.Unit == typ.Unit })
	if index < 0 {
		t := before.SampleType[render.ValueIndex(before)]
		return nil, fmt.Errorf("they cannot be compared: one has values of %q in %q, the other of %q in %q", t.Type, t.Unit, typ.Type, typ.Unit)
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

// Total is the sum of all values.
func (d *Diff) Total() Change { return Change{d.before.total, d.after.total} }

// Delta is by how much a value has grown, in the unit of the values after.
func (d *Diff) Delta(c Change) float64 {
	return float64(c.After)*d.after.scale - float64(c.Before)*d.before.scale
}

// deviations is how many standard deviations a change must have to be more than chance: of 370 that are chance one
// has as many.
const deviations = 3

// Certain tells whether a change is more than two samplings of the same program would differ by. The number of samples in
// a function varies as its own square root (they are rare and independent: Poisson).
func (d *Diff) Certain(c Change) bool {
	variance := math.Abs(float64(c.After))*d.after.quantum*d.after.scale*d.after.scale +
		math.Abs(float64(c.Before))*d.before.quantum*d.before.scale*d.before.scale
	delta := d.Delta(c)
	return delta != 0 && delta*delta > deviations*deviations*variance
}

// New tells whether there was nothing before; Gone, whether there is nothing any more.
func (c Change) New() bool  { return c.Before == 0 && c.After != 0 }
func (c Change) Gone() bool { return c.Before != 0 && c.After == 0 }

func compareNames(a, b *Node) int { return cmp.Compare(a.Name, b.Name) }
