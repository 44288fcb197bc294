//go:build linux

package profiles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Goroutines reads the stacks of all goroutines of a container's Go programs once.
type Goroutines struct {
	run.Lifecycle
	options  run.Options
	programs *readers
	stacks   stacks
	each     map[*stack.Entry][]goroutineNumbers // with Options.ByGoroutine
	apart    int                                 // goroutines in each
	notApart int                                 // goroutines beyond maxApart
	running  runningStacks
	stops    []string // for the comments

	dropped uint64
	leaked  int64
}

// maxApart bounds the goroutines that are samples of their own, of some 700 bytes each.
const maxApart = 1 << 16

// NewGoroutines finds the Go programs of a container. Its errors wrap ErrNoGo or proc.ErrNoContainer where
// one of these is the cause. It needs no BPF, and perf events only for the stacks of running goroutines.
func NewGoroutines(o run.Options) (*Goroutines, error) {
	processes, err := openReaders(o, false)
	if err != nil {
		return nil, err
	}
	return &Goroutines{
		options: o, programs: processes, stacks: stacks{stacks: stack.NewTable()}, each: map[*stack.Entry][]goroutineNumbers{},
	}, nil
}

func goroutineKind() builder.Kind {
	goroutine := &profile.ValueType{Type: "goroutine", Unit: "count"} // as runtime/pprof has it
	return builder.Kind{Types: []*profile.ValueType{goroutine}, DefaultType: goroutine.Type, PeriodType: goroutine, Period: 1}
}

// Run reads the goroutines and returns without waiting for ctx. When ctx is done, it reads no
// further process. It may be called once.
func (c *Goroutines) Run(ctx context.Context) (*builder.Result, error) {
	begin, err := c.Start()
	if err != nil {
		return nil, err
	}
	for _, p := range slices.Clone(c.programs.all) {
		err := ctx.Err()
		if err == nil {
			err = c.readProcess(ctx, p)
		}
		if err != nil {
			c.programs.remove(p, err) // what was read of it stays
		}
	}
	if c.Kept.Load() == 0 {
		if err := c.programs.none(); err != nil {
			return nil, err
		}
	}
	b := builder.New(begin, time.Since(begin), goroutineKind())
	b.AddAll(c.stacks.stacks)
	for _, e := range c.stacks.stacks.Sorted() {
		addEach(b, e, c.each[e])
	}
	if err := c.describe(b); err != nil {
		return nil, err
	}
	result, err := b.Result()
	if err != nil {
		return nil, err
	}
	result.Instant = true
	return result, nil
}

// readProcess reads the goroutines of one process. It stops the process meanwhile if Options.Freeze is set.
func (c *Goroutines) readProcess(ctx context.Context, p *reader) error {
	gs := p.goroutines
	var running []*golang.Goroutine
	each := func() error {
		return gs.Each(ctx, nil, func(g *golang.Goroutine) {
			if g.End == golang.NoStack && gs.Stopped == nil && len(running) < maxRunning {
				running = append(running, clone(g))
				return
			}
			c.add(p, g)
		})
	}
	err := error(nil)
	if c.options.Freeze {
		err = c.whileStopped(ctx, p, each)
	} else {
		err = each()
	}
	c.running.giveUp(c.running.find(p, running, runningPatience))
	for _, g := range running {
		c.add(p, g)
	}
	return p.checked(err)
}

// whileStopped calls each while the process is stopped. It reads all goroutines once before, so that the tables of the
// executable are cached and the stop is short.
func (c *Goroutines) whileStopped(ctx context.Context, p *reader, each func() error) error {
	gs := p.goroutines
	if err := gs.Each(ctx, nil, func(*golang.Goroutine) {}); err != nil {
		return err
	}
	gs.Counts = golang.Counts{}
	stop, err := p.generation.Process.WhileStopped(func(threads map[int]proc.Registers) error {
		gs.Stopped = make(map[int]golang.Registers, len(threads))
		for thread, r := range threads {
			gs.Stopped[thread] = golang.Registers{PC: r.PC, SP: r.SP, LR: r.LR, Exact: true}
		}
		defer func() { gs.Stopped = nil }()
		return each()
	})
	if stop.Threads > 0 {
		c.stops = append(c.stops, fmt.Sprintf("process %d (%s), %d threads for %.1f ms", p.generation.Process.NSPID, p.generation.Process.Name, stop.Threads, stop.For.Seconds()*1e3))
	}
	if stop.Moving > 0 {
		c.stops = append(c.stops, fmt.Sprintf("%d of these threads did not stop, because they wait in the kernel", stop.Moving))
	}
	return err
}

func (c *Goroutines) add(p *reader, g *golang.Goroutine) {
	e := c.stacks.entry(p, g)
	if e == nil {
		c.dropped++
		return
	}
	c.Kept.Add(1)
	if g.Status == golang.Leaked {
		c.leaked++
	}
	if c.options.ByGoroutine && c.apart < maxApart {
		c.apart++
		c.each[e] = append(c.each[e], numbersOf(g, kernel.Monotonic()))
		return
	}
	if c.options.ByGoroutine {
		c.notApart++
	}
	c.stacks.stacks.Add(e, stack.Amount{Count: 1}, 0)
}

func (c *Goroutines) describe(b *builder.Builder) error {
	release, err := kernel.Release()
	if err != nil {
		return err
	}
	meta.Samples.Add(b.Profile, int64(c.Kept.Load()))
	meta.LostSamples.Add(b.Profile, int64(c.dropped))
	meta.Kernel.Add(b.Profile, release)
	if c.options.ByGoroutine {
		meta.By.Add(b.Profile, meta.ByGoroutine)
	}
	if c.notApart > 0 {
		meta.GoroutinesNotApart.Add(b.Profile, int64(c.notApart))
	}
	if c.leaked > 0 {
		meta.GoroutinesLeaked.Add(b.Profile, c.leaked)
	}
	for _, s := range c.stops {
		meta.FrozenProcess.Add(b.Profile, s)
	}
	c.programs.describe(b)
	describeGoroutines(b, c.programs, c.stacks.stacks)
	if !c.options.Freeze {
		c.running.describe(b)
	} else if n := c.stacks.stacks.EndCounts[stack.Running]; n > 0 {
		meta.RunningWithoutStacks.Add(b.Profile, int64(n))
	}
	return nil
}

// describeGoroutines adds comments about the readings.
func describeGoroutines(b *builder.Builder, processes *readers, stacks *stack.Table) {
	all := processes.counts()
	meta.GoroutineReadsRepeated.Add(b.Profile, int64(all.Tries))
	meta.GoroutinesNeverStable.Add(b.Profile, int64(all.Torn))
	meta.TruncatedStacks.Add(b.Profile, stacks.EndCounts[stack.Truncated])
	meta.BrokenStacks.Add(b.Profile, stacks.EndCounts[stack.Broken])
	if all.Bad > 0 {
		meta.GoroutineListInvalid.Add(b.Profile, int64(all.Bad))
	}
	if all.CutLabels > 0 {
		meta.GoroutinesWithCutLabels.Add(b.Profile, int64(all.CutLabels))
	}
}

// Slice returns nil: the goroutines are read in less time than a slice takes.
func (c *Goroutines) Slice() (*builder.Result, error) { return nil, nil }

// Progress may be called while Run runs.
func (c *Goroutines) Progress() run.Progress {
	p := c.Lifecycle.Progress()
	p.Processes = c.programs.Len()
	return p
}

// Close closes all files; the result's File must not be used after it.
func (c *Goroutines) Close() error {
	return errors.Join(c.running.sampler.close(), c.programs.close())
}
