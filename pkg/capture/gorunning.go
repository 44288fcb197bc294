package capture

import (
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/goruntime"
)

// runningStacks finds the stacks of goroutines that run, by samples of their threads.
type runningStacks struct {
	sampler threadSampler
	found   int
	missing int
}

// samplingRounds is how often a goroutine is looked for, which may be on another stack, or without a CPU.
const samplingRounds = 4

// find fills in the stacks of those goroutines of a process that run while their threads are sampled. The others keep
// none.
func (r *runningStacks) find(p *goProcess, running []*goruntime.Goroutine) {
	left := slices.Clone(running)
	for round := 0; round < samplingRounds && len(left) > 0 && r.sampler.err == nil; round++ {
		byThread := map[int]*goruntime.Goroutine{}
		var threads []int
		for _, g := range left {
			if tid, ok := p.thread(g.Thread); ok && g.Thread != 0 && byThread[tid] == nil {
				byThread[tid] = g
				threads = append(threads, tid)
			}
		}
		for tid, s := range r.sampler.sample(threads) {
			g := byThread[tid]
			if p.goroutines.Unwind(g, s.registers, s.stack) && p.goroutines.Still(g) {
				left = slices.DeleteFunc(left, func(one *goruntime.Goroutine) bool { return one == g })
				r.found++
			} else {
				g.Stack, g.End = nil, goruntime.NoStack
			}
		}
	}
	r.missing += len(left)
}

func (r *runningStacks) describe(b *profileBuilder) {
	b.comment("running goroutines: %d with their stacks, %d without", r.found, r.missing)
	if r.sampler.err != nil {
		b.comment("stacks of running goroutines: none, for their threads cannot be sampled: %v", r.sampler.err)
	}
}

// clone copies a goroutine that is to be kept.
func clone(g *goruntime.Goroutine) *goruntime.Goroutine {
	one := *g
	one.Stack = slices.Clone(g.Stack)
	return &one
}
