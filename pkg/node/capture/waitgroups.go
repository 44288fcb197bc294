//go:build linux

package capture

import (
	"cmp"
	"maps"
	"slices"
)

// group are the waits of a thread at places that look the same from its registers. Where they come too often not all
// have their stacks walked. What the others waited is shared out as it is among those that were chosen by chance, or
// among all that were walked if there are none.
type group struct {
	chosen, all parts
	rest        amount // that is still to be shared out
	seen        amount // of the waits that were not walked
	wanted      bool
	last        uint64 // serial number of the wait that is not ended
}

// parts are what stacks waited.
type parts struct {
	of    map[*stackEntry]amount
	waits int64
}

// manyWaits is how many waits must have been chosen before the others' time is shared out; at a group's end all is.
const manyWaits = 32

// maxGroups bounds the groups that are known at a time, some 500 bytes each: a thread has a handful, and there are
// maxThreads threads, but those whose end found no room in the ring buffer stay.
const maxGroups = 1 << 15

// came makes the stack of a wait known, of which how long it was is told later. The entry is nil if there is no room
// for it.
func (w *waits) came(s *sample, e *stackEntry, wanted bool) {
	g := w.groups[s.group]
	if g == nil {
		if len(w.groups) >= maxGroups {
			return // what is waited there counts as lost
		}
		g = &group{}
		w.groups[s.group] = g
	}
	delete(w.known, g.last) // if its sum found no room
	g.wanted, g.last = wanted, s.serial
	w.known[s.serial] = &wait{entry: e, wanted: wanted, group: g, byChance: s.byChance}
}

func (g *group) add(one *wait, a amount) {
	g.all.add(one.entry, a)
	if one.byChance {
		g.chosen.add(one.entry, a)
	}
}

func (p *parts) add(e *stackEntry, a amount) {
	if p.of == nil {
		p.of = map[*stackEntry]amount{}
	}
	before := p.of[e]
	p.of[e] = amount{before.count + a.count, before.value + a.value}
	p.waits += a.count
}

// addRest takes in all that a group has waited without its stack being walked.
func (w *waits) addRest(g *group, total amount) {
	more := total.minus(g.seen)
	if !g.wanted || more.value <= 0 || more.count < 0 {
		return
	}
	g.seen = total
	g.rest.count += more.count
	g.rest.value += more.value
}

// shareOut gives what a group has waited to its stacks.
func (w *waits) shareOut(g *group) {
	if g.rest == (amount{}) {
		return
	}
	rest := g.rest
	g.rest = amount{}
	parts := g.chosen.of
	if parts == nil {
		parts = g.all.of
	}
	var all amount
	for _, a := range parts {
		all.count += a.count
		all.value += a.value
	}
	if all.count == 0 || all.value == 0 {
		w.lose(rest)
		return
	}
	stacks := slices.SortedFunc(maps.Keys(parts), func(a, b *stackEntry) int { return cmp.Compare(a.first, b.first) })
	left := rest
	for i, e := range stacks {
		of := parts[e]
		share := amount{
			min(part(rest.count, of.count, all.count), left.count), min(part(rest.value, of.value, all.value), left.value),
		}
		if i == len(stacks)-1 {
			share = left // what rounding has left
		}
		left = left.minus(share)
		w.host.AddWaits(e, share)
	}
}

// part is n·a/b, rounded down: the product may need more than 64 bits.
func part(n, a, b int64) int64 { return int64(float64(n) * (float64(a) / float64(b))) }
