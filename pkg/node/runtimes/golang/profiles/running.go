//go:build linux

package profiles

import (
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// runningStacks finds the stacks of running goroutines by sampling their threads.
type runningStacks struct {
	sampler threadSampler
	found   int
	missing int
}

// Bounds on how long a goroutine's stack is looked for.
const (
	// runningPatience lets threads get a CPU again whose container has used up its CPU quota, which
	// is for 100 ms by default.
	runningPatience = 120 * time.Millisecond
	// maxSamples bounds the samples of a thread that is on another stack because it runs C or the runtime's own code.
	maxSamples = 5
	// maxRunning bounds the running goroutines of a process. At most GOMAXPROCS run at once, which is a few hundred.
	maxRunning = 4096
)

// runningGoroutine is a goroutine whose thread is sampled.
type runningGoroutine struct {
	*golang.Goroutine
	process *reader
	thread  int
	samples int
}

// find samples the threads of running goroutines and fills in their stacks. Threads are armed as
// others are sampled, at most maxThreadEvents at once. It returns the goroutines whose threads were
// armed, but not sampled within patience; their samples may still arrive. The caller must collect
// them or giveUp.
func (r *runningStacks) find(p *reader, running []*golang.Goroutine, patience time.Duration) (left []*runningGoroutine) {
	until := time.Now().Add(patience)
	for pause := 2 * samplingPeriod; ; pause = min(2*pause, 4*time.Millisecond) {
		for len(running) > 0 && !r.sampler.isFull() && time.Now().Before(until) {
			g := running[0]
			running = running[1:]
			tid, ok := p.thread(g.Thread)
			if ok && g.Thread != 0 && r.sampler.arm(tid) {
				left = append(left, &runningGoroutine{Goroutine: g, process: p, thread: tid})
			} else {
				r.missing++
			}
		}
		if len(left)+len(running) == 0 || !time.Now().Before(until) {
			break
		}
		time.Sleep(pause)
		left = r.collect(left, true)
	}
	r.missing += len(running)
	return left
}

// giveUp counts goroutines whose samples are no longer awaited.
func (r *runningStacks) giveUp(left []*runningGoroutine) {
	for _, g := range left {
		r.sampler.release(g.thread)
	}
	r.missing += len(left)
}

// collect fills in the stacks of goroutines whose samples have arrived, and returns the others. If
// again is set, a thread that was on another stack is sampled again.
func (r *runningStacks) collect(left []*runningGoroutine, again bool) []*runningGoroutine {
	return slices.DeleteFunc(left, func(g *runningGoroutine) bool {
		s, ok := r.sampler.taken(g.thread)
		if !ok {
			return false
		}
		if gs := g.process.goroutines; gs.Unwind(g.Goroutine, s.registers, s.stack) && gs.StillRunning(g.Goroutine) {
			r.found++
			return true
		}
		g.Stack, g.End = nil, golang.NoStack
		if g.samples++; again && g.samples < maxSamples && r.sampler.arm(g.thread) {
			return false
		}
		r.missing++
		return true
	})
}

func (r *runningStacks) describe(b *builder.Builder) {
	meta.RunningGoroutines.Add(b.Profile, fmt.Sprintf("%d with their stacks, %d without", r.found, r.missing))
	if r.sampler.err != nil {
		meta.RunningGoroutinesRefused.Add(b.Profile, fmt.Sprintf("none: their threads cannot be sampled: %v", r.sampler.err))
	}
}

// clone returns a copy of a goroutine with a stack of its own; Each reuses the original.
func clone(g *golang.Goroutine) *golang.Goroutine {
	one := *g
	one.Stack = slices.Clone(g.Stack)
	return &one
}
