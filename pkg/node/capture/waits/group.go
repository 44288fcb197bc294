//go:build linux

package waits

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
)

// group holds the waits of one thread at the same pc and stack pointer. If such waits are frequent, only some stacks are
// walked. The time of the unwalked waits is distributed over the walked stacks: in proportion to the waits drawn at random
// or, if there are none, to all walked waits.
type group struct {
	random, all  stackTotals
	pending      stack.Amount // unwalked waits that have not been distributed yet
	unwalkedSeen stack.Amount // total of the unwalked waits when it was last read
	wanted       bool         // the process is profiled
	last         uint64       // serial of the latest walked wait, whose total may not have arrived
}

// stackTotals is the number and duration of waits by stack.
type stackTotals struct {
	byStack map[*stack.Entry]stack.Amount
	waits   int64
}

// minRandomWaits is the number of randomly drawn waits required before unwalked time is distributed. When a group ends,
// everything is distributed.
const minRandomWaits = 32

// maxGroups bounds the number of groups, of some 500 bytes each. A thread has a handful and there are at most maxThreads
// threads, but a group remains if the ring buffer had no room for the record that ends it.
const maxGroups = 1 << 15

// AddStack registers the stack of a wait; its duration arrives later. The entry is nil if the stack table is full or the
// process is not wanted.
func (w *Tracker) AddStack(s *record.Sample, e *stack.Entry, wanted bool) {
	g := w.groups[s.Group]
	if g == nil {
		if len(w.groups) >= maxGroups {
			return // its waits count as lost
		}
		g = &group{}
		w.groups[s.Group] = g
	}
	delete(w.known, g.last) // still there if the ring buffer had no room for its total
	g.wanted, g.last = wanted, s.Serial
	w.known[s.Serial] = &wait{entry: e, wanted: wanted, group: g, representsGroup: s.RepresentsGroup}
}

func (g *group) add(one *wait, a stack.Amount) {
	g.all.add(one.entry, a)
	if one.representsGroup {
		g.random.add(one.entry, a)
	}
}

func (t *stackTotals) add(e *stack.Entry, a stack.Amount) {
	if t.byStack == nil {
		t.byStack = map[*stack.Entry]stack.Amount{}
	}
	before := t.byStack[e]
	t.byStack[e] = stack.Amount{Count: before.Count + a.Count, Value: before.Value + a.Value}
	t.waits += a.Count
}

// addUnwalked adds what has grown since the last call. total is the number and duration of all unwalked waits of a group.
func (w *Tracker) addUnwalked(g *group, total stack.Amount) {
	more := total.Minus(g.unwalkedSeen)
	if !g.wanted || more.Value <= 0 || more.Count < 0 {
		return
	}
	g.unwalkedSeen = total
	g.pending.Count += more.Count
	g.pending.Value += more.Value
}

// distribute adds the unwalked waits of a group to its stacks.
func (w *Tracker) distribute(g *group) {
	if g.pending == (stack.Amount{}) {
		return
	}
	pending := g.pending
	g.pending = stack.Amount{}
	weights := g.random.byStack
	if weights == nil {
		weights = g.all.byStack
	}
	var all stack.Amount
	for _, a := range weights {
		all.Count += a.Count
		all.Value += a.Value
	}
	if all.Count == 0 || all.Value == 0 {
		w.countLost(pending)
		return
	}
	stacks := slices.SortedFunc(maps.Keys(weights), func(a, b *stack.Entry) int { return cmp.Compare(a.First, b.First) })
	left := pending
	for i, e := range stacks {
		weight := weights[e]
		share := stack.Amount{
			Count: min(scale(pending.Count, weight.Count, all.Count), left.Count),
			Value: min(scale(pending.Value, weight.Value, all.Value), left.Value),
		}
		if i == len(stacks)-1 {
			share = left // including the remainder from rounding
		}
		left = left.Minus(share)
		w.host.AddWaits(e, share)
	}
}

// scale returns n·a/b, rounded down. It uses floating point because the product may need more than 64 bits.
func scale(n, a, b int64) int64 { return int64(float64(n) * (float64(a) / float64(b))) }
