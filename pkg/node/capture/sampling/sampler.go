//go:build linux

package sampling

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/container"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/unwindmaps"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/verify"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/waits"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/registry"
)

// Sampler makes one profile of a container from the stacks of its threads.
type Sampler struct {
	run.Lifecycle
	options  run.Options
	plan     plan
	maps     bpf.CPUMaps
	programs []*ebpf.Program
	events   *events        // nil if there are none
	waits    *waits.Tracker // likewise
	ring     *ring
	flushes  chan chan struct{} // requests to read the ring buffer at once; drain closes each when that is done
	drained  chan struct{}      // closed when drain returns
	table    *process.Table
	stacks   *stack.Table
	tables   *unwindmaps.Tables
	ranges   *unwindmaps.Ranges
	loader   *unwindmaps.Loader
	checker  *verify.Checker
	labels   record.LabelSets
	starting bool // Prepare has not returned yet

	target *container.Target // its Tasks are nil once Prepare has read them
	listed time.Time         // when they were listed

	mu     sync.Mutex // for all that samples change, while Run runs
	slices builder.Slicer
	ended  bool // the profile is built
}

// plan is what a sampler samples.
type plan struct {
	kind        builder.Kind
	event       *unix.PerfEventAttr               // at which samples are taken, nil for none
	stepSamples uint32                            // samples of a second and CPU after which fewer are taken, 0 for none: bpf/cpu.bpf.c
	weigh       func(*record.Sample) stack.Amount // what such a sample stands for
	waits       bool                              // sample where threads wait, too
	states      bool                              // samples name the state of their thread
	leaveOut    func(pid int) bool                // of processes, by their PIDs in our namespace; nil: none
	describe    func(*builder.Builder)            // adds comments
}

// newSampler loads the BPF programs and attaches them, without sampling yet. Its errors wrap
// kernel.ErrNoBTF, kernel.ErrKernelTooOld, kernel.ErrUnsafeUserReads, kernel.ErrNotPermitted or proc.ErrNoContainer where
// one of these is the cause.
func newSampler(o run.Options, p plan) (*Sampler, error) {
	if err := kernel.Check(); err != nil {
		return nil, err
	}
	if !o.UnsafeKernel {
		if err := kernel.CheckUserReads(); err != nil {
			return nil, err
		}
	}
	if err := rlimit.RemoveMemlock(); err != nil { // before 5.11 maps count against this limit
		return nil, kernel.Explain("raise the limit of locked memory", err)
	}
	listed := time.Now()
	t, err := container.Find(o.ContainerID, o.Restarts)
	if err != nil {
		return nil, err
	}
	p.kind.Runtimes = registry.All()
	c := &Sampler{
		options: o, plan: p, stacks: stack.NewTable(), target: t, listed: listed,
		flushes: make(chan chan struct{}, 1), drained: make(chan struct{}),
	}
	c.table = process.NewTable(o.PIDs, c.mapped)
	c.table.KubeletDir, c.table.LeaveOut = t.KubeletDir, p.leaveOut
	c.table.Runs = t.Runs
	if err := c.load(t); err != nil {
		c.Close()
		return nil, err
	}
	if o.LoadOnly {
		return c, nil
	}
	if err := c.Prepare(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Run samples until ctx is done, which is the normal end and not an error, and returns the profile. It may be called once,
// and not together with Sample.
func (c *Sampler) Run(ctx context.Context) (*builder.Result, error) {
	begin, duration, err := c.Sample(ctx)
	if err != nil {
		return nil, err
	}
	return c.result(begin, duration)
}

// Sample samples until ctx is done, and returns when and how long it did. It is Run for a caller that builds the profile
// itself, with AddStacks. It may be called once.
func (c *Sampler) Sample(ctx context.Context) (begin time.Time, duration time.Duration, err error) {
	if begin, err = c.Start(); err != nil {
		return begin, 0, err
	}
	if c.options.Times {
		c.mu.Lock()
		c.stacks.Times = stack.NewTimes()
		c.mu.Unlock()
	}
	drained := make(chan error, 1)
	stop := make(chan struct{})
	go func() { drained <- c.drain(stop) }()
	c.options.Steps.Begin("attach")
	err = c.enable(ctx)
	if err == nil {
		c.options.Steps.Begin("sampling")
		release := func() {}
		if c.options.WhileSampling != nil {
			release = c.options.WhileSampling()
		}
		select {
		case <-ctx.Done():
			release()
		case err = <-drained:
			release()
			return begin, 0, err
		}
		c.options.Steps.Begin("rest")
		err = c.disable()
	}
	duration = time.Since(begin)
	close(stop)
	return begin, duration, errors.Join(err, c.ring.interrupt(), <-drained)
}

// Forget makes the sampler read a process again at its next sample. It may be called while Run runs.
func (c *Sampler) Forget(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table.Forget(pid)
}

// enable starts the sampling.
func (c *Sampler) enable(ctx context.Context) error {
	if c.events != nil {
		if err := c.events.enable(true); err != nil {
			return err
		}
	}
	if c.waits != nil {
		return c.waits.Enable(ctx)
	}
	return nil
}

// disable stops the sampling.
func (c *Sampler) disable() error {
	if c.events != nil {
		if err := c.events.enable(false); err != nil {
			return err
		}
	}
	if c.waits != nil {
		return c.waits.Disable()
	}
	return nil
}

// Close detaches the programs and closes all files; the result's File must not be used after it.
func (c *Sampler) Close() error {
	var errs []error
	if c.events != nil {
		errs = append(errs, c.events.close())
	}
	if c.ring != nil {
		errs = append(errs, c.ring.close())
	}
	if c.loader != nil {
		c.loader.Close()
		errs = append(errs, c.ranges.Close(), c.tables.Close())
	}
	if c.waits != nil {
		errs = append(errs, c.waits.Close())
	}
	for _, p := range c.programs {
		errs = append(errs, p.Close())
	}
	errs = append(errs, c.target.Close(), c.maps.Close(), c.table.Close())
	return errors.Join(errs...)
}
