//go:build linux

package waits

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
)

// group are the waits of a thread at places that look the same from its registers. Where they come too often not all
// have their stacks walked. What the others waited is shared out as it is among those that were chosen by chance, or
// among all that were walked if there are none.
type group struct {
	chosen, all parts
	rest        stack.Amount // that is still to be shared out
	seen        stack.Amount // of the waits that were not walked
	wanted      bool
	last        uint64 // serial number of the wait that is not ended
}

// parts are what stacks waited.
type parts struct {
	of    map[*stack.Entry]stack.Amount
	waits int64
}

// manyWaits is how many waits must have been chosen before the others' time is shared out; at a group's end all is.
const manyWaits = 32

// maxGroups bounds the groups that are known at a time, some 500 bytes each: a thread has a handful, and there are
// maxThreads threads, but those whose end found no room in the ring buffer stay.
const maxGroups = 1 << 15

// AddStack makes the stack of a wait known, of which how long it was is told later. The entry is nil if there is no room
// for it.
func (w *Tracker) AddStack(s *record.Sample, e *stack.Entry, wanted bool) {
	g := w.groups[s.Group]
	if g == nil {
		if len(w.groups) >= maxGroups {
			return // what is waited there counts as lost
		}
		g = &group{}
		w.groups[s.Group] = g
	}
	delete(w.known, g.last) // if its sum found no room
	g.wanted, g.last = wanted, s.Serial
	w.known[s.Serial] = &wait{entry: e, wanted: wanted, group: g, representsGroup: s.RepresentsGroup}
}

func (g *group) add(one *wait, a stack.Amount) {
	g.all.add(one.entry, a)
	if one.representsGroup {
		g.chosen.add(one.entry, a)
	}
}

func (p *parts) add(e *stack.Entry, a stack.Amount) {
	if p.of == nil {
		p.of = map[*stack.Entry]stack.Amount{}
	}
	before := p.of[e]
	p.of[e] = stack.Amount{Count: before.Count + a.Count, Value: before.Value + a.Value}
	p.waits += a.Count
}

// addRest takes in all that a group has waited without its stack being walked.
func (w *Tracker) addRest(g *group, total stack.Amount) {
	more := total.Minus(g.seen)
	if !g.wanted || more.Value <= 0 || more.Count < 0 {
		return
	}
	g.seen = total
	g.rest.Count += more.Count
	g.rest.Value += more.Value
}

// shareOut gives what a group has waited to its stacks.
func (w *Tracker) shareOut(g *group) {
	if g.rest == (stack.Amount{}) {
		return
	}
	rest := g.rest
	g.rest = stack.Amount{}
	parts := g.chosen.of
	if parts == nil {
		parts = g.all.of
	}
	var all stack.Amount
	for _, a := range parts {
		all.Count += a.Count
		all.Value += a.Value
	}
	if all.Count == 0 || all.Value == 0 {
		w.lose(rest)
		return
	}
	stacks := slices.SortedFunc(maps.Keys(parts), func(a, b *stack.Entry) int { return cmp.Compare(a.First, b.First) })
	left := rest
	for i, e := range stacks {
		of := parts[e]
		share := stack.Amount{
			Count: min(part(rest.Count, of.Count, all.Count), left.Count), Value: min(part(rest.Value, of.Value, all.Value), left.Value),
		}
		if i == len(stacks)-1 {
			share = left // what rounding has left
		}
		left = left.Minus(share)
		w.host.AddWaits(e, share)
	}
}

// part is n·a/b, rounded down: the product may need more than 64 bits.
func part(n, a, b int64) int64 { return int64(float64(n) * (float64(a) / float64(b))) }
