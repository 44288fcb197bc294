//go:build linux

package sampling

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"github.com/google/pprof/profile"
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
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/registry"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
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
	reader   *ringbuf.Reader
	table    *process.Table
	stacks   *stack.Table
	tables   *unwindmaps.Tables
	ranges   *unwindmaps.Ranges
	checker  *verify.Checker
	labels   record.LabelSets
	unranged int // processes for whose mappings there was no room

	mu     sync.Mutex // for all that samples change, while Run runs
	slices builder.Slicer
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

// newSampler loads the BPF programs and attaches them, without sampling yet. Its errors wrap ErrNoBTF,
// ErrKernelTooOld, ErrNotPermitted or proc.ErrNoContainer where one of these is the cause.
func newSampler(o run.Options, p plan) (*Sampler, error) {
	if err := kernel.Check(); err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil { // before 5.11 maps count against this limit
		return nil, kernel.Explain("raise the limit of locked memory", err)
	}
	t, err := container.Find(o.ContainerID, o.Restarts)
	if err != nil {
		return nil, err
	}
	p.kind.Runtimes = registry.All()
	c := &Sampler{options: o, plan: p, stacks: stack.NewTable()}
	c.table = process.NewTable(o.PIDs, c.mapped)
	c.table.KubeletDir, c.table.LeaveOut = t.KubeletDir, p.leaveOut
	if err := c.load(t); err != nil {
		c.Close()
		return nil, err
	}
	for i := range t.Processes {
		c.table.Lookup(&t.Processes[i])
	}
	return c, nil
}

// Run samples until ctx is done, which is the normal end and not an error, and returns the profile. It may be called once.
func (c *Sampler) Run(ctx context.Context) (*builder.Result, error) {
	begin, err := c.Start()
	if err != nil {
		return nil, err
	}
	if c.options.Times {
		c.stacks.Times = stack.NewTimes()
	}
	drained := make(chan error, 1)
	stop := make(chan struct{})
	go func() { drained <- c.drain(stop) }()
	err = c.enable(true)
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-drained:
			return nil, err
		}
		err = c.enable(false)
	}
	duration := time.Since(begin)
	close(stop)
	if err := errors.Join(err, <-drained); err != nil {
		return nil, err
	}
	return c.result(begin, duration)
}

// Forget makes the sampler read a process again at its next sample. It may be called while Run runs.
func (c *Sampler) Forget(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table.Forget(pid)
}

// enable starts or stops the sampling.
func (c *Sampler) enable(on bool) error {
	if c.events != nil {
		if err := c.events.enable(on); err != nil {
			return err
		}
	}
	if c.waits != nil {
		return c.waits.Enable(on)
	}
	return nil
}

// drainEvery bounds how old a sample becomes in the ring buffer. A process whose mappings are to be read does not
// wait for it: its samples wake us. Each time costs more than the samples do, for Go's runtime wakes its monitor too.
const drainEvery = 250 * time.Millisecond

// drain reads samples until stop is closed, and then what is left in the ring buffer.
func (c *Sampler) drain(stop <-chan struct{}) error {
	var record ringbuf.Record
	for {
		stopping := false
		select {
		case <-stop:
			stopping = true
		default:
		}
		c.reader.SetDeadline(time.Now().Add(drainEvery))
		for {
			err := c.reader.ReadInto(&record)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return fmt.Errorf("read samples: %w", err)
			}
			c.mu.Lock()
			c.keep(record.RawSample)
			c.mu.Unlock()
		}
		if err := c.countLost(); err != nil {
			return err
		}
		if c.waits != nil {
			c.mu.Lock()
			err := c.waits.Gather(stopping)
			c.mu.Unlock()
			if err != nil {
				return err
			}
		}
		if stopping {
			return nil
		}
	}
}

// keep processes one record of the ring buffer.
func (c *Sampler) keep(raw []byte) {
	switch record.KindOf(raw) {
	case bpf.CPURecordKindRECORD_LABELS:
		_ = c.labels.Add(raw) // else the sample has none
		return
	case bpf.CPURecordKindRECORD_WAIT_TOTAL, bpf.CPURecordKindRECORD_UNWALKED_TOTAL:
		if c.waits == nil {
			return
		}
		r, err := record.ParseWaitTotal(raw)
		if err != nil {
			c.stacks.Dropped++
			return
		}
		c.waits.AddFinalTotal(r)
		return
	}
	s, err := record.ParseSample(raw)
	if err != nil {
		c.stacks.Dropped++
		return
	}
	if c.waits != nil {
		c.waits.Complete(&s)
	}
	c.keepSample(&s)
}

// keepSample counts a sample under its stack. The stack of a wait is only registered; the time waited arrives separately.
func (c *Sampler) keepSample(s *record.Sample) {
	generation, wanted := c.table.Lookup(s)
	var e *stack.Entry
	if wanted {
		user, end := c.checker.Check(generation, s)
		group, labels := c.labels.Match(s)
		if c.options.ByThread {
			group, labels = addThread(s, group, labels)
		}
		if c.plan.states {
			group, labels = addState(s, group, labels)
		}
		e = c.stacks.FindOrAdd(generation, s.Kernel, user, end, group, labels)
	}
	if s.Serial != 0 && c.waits != nil {
		c.waits.AddStack(s, e, wanted)
	} else if e != nil {
		c.stacks.Add(e, c.plan.weigh(s), s.Time)
		c.Kept.Add(1)
	}
	if e != nil && !generation.Sampled {
		generation.Sampled = true
		c.Processes.Add(1)
	}
}

func (c *Sampler) countLost() error {
	var perCPU []uint64
	if err := c.maps.Lost.Lookup(uint32(0), &perCPU); err != nil {
		return fmt.Errorf("count lost samples: %w", err)
	}
	total := c.stacks.Dropped
	for _, n := range perCPU {
		total += n
	}
	c.Lost.Store(total)
	return nil
}

// Slice returns what was sampled since the last slice while Run runs, and nil before Run. The result may be used until the
// next call. Its comments describe the whole capture. Slice must not be called concurrently, nor after Close.
func (c *Sampler) Slice() (*builder.Result, error) {
	began, ok := c.StartTime()
	if !ok {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits != nil {
		if err := c.waits.Gather(false); err != nil {
			return nil, err
		}
	}
	b := c.slices.Next(began, c.plan.kind)
	b.AddChanged(c.stacks)
	if err := c.describe(b); err != nil {
		return nil, err
	}
	result, err := b.Result()
	if err != nil {
		return nil, err
	}
	c.GuardPerfMaps(result)
	return result, nil
}

// GuardPerfMaps makes a result's PerfMap safe to call while Run runs.
func (c *Sampler) GuardPerfMaps(r *builder.Result) {
	open := r.PerfMap
	r.PerfMap = func(m *profile.Mapping) *proc.File {
		c.mu.Lock()
		defer c.mu.Unlock()
		return open(m)
	}
}

// AddStacks calls add with the stacks sampled so far, and adds comments about the capture.
func (c *Sampler) AddStacks(add func(*stack.Table), comments *builder.Builder) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(c.stacks)
	return c.describe(comments)
}

// Close detaches the programs and closes all files; the result's File must not be used after it.
func (c *Sampler) Close() error {
	var errs []error
	if c.events != nil {
		errs = append(errs, c.events.close())
	}
	if c.reader != nil {
		errs = append(errs, c.reader.Close())
	}
	if c.tables != nil {
		errs = append(errs, c.tables.Close())
	}
	if c.waits != nil {
		errs = append(errs, c.waits.Close())
	}
	for _, p := range c.programs {
		errs = append(errs, p.Close())
	}
	errs = append(errs, c.maps.Close(), c.table.Close())
	return errors.Join(errs...)
}

// result builds the profile of all samples.
func (c *Sampler) result(begin time.Time, duration time.Duration) (*builder.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := builder.New(begin, duration, c.plan.kind)
	b.AddAll(c.stacks)
	if err := c.describe(b); err != nil {
		return nil, err
	}
	return b.Result()
}

// describe adds comments about what was captured so far.
func (c *Sampler) describe(b *builder.Builder) error {
	release, err := kernel.Release()
	if err != nil {
		return err
	}
	if c.plan.event != nil {
		meta.Frequency.Add(b.Profile, int64(c.options.Frequency))
	}
	if c.options.ByThread {
		meta.By.Add(b.Profile, meta.ByThread)
	}
	if t := c.stacks.Times; t != nil && t.Width > stack.TimeWidth {
		meta.TimeStep.Add(b.Profile, t.Width)
	}
	meta.Samples.Add(b.Profile, int64(c.Kept.Load()))
	meta.LostSamples.Add(b.Profile, int64(c.Lost.Load()))
	meta.Kernel.Add(b.Profile, release)
	meta.TruncatedStacks.Add(b.Profile, c.stacks.EndCounts[stack.Truncated])
	meta.BrokenStacks.Add(b.Profile, c.stacks.EndCounts[stack.Broken])
	if n := c.checker.Early; n > 0 {
		meta.BrokenStacksAtStart.Add(b.Profile, int64(n))
	}
	if c.plan.describe != nil {
		c.plan.describe(b)
	}
	if c.waits != nil {
		c.waits.Describe(b)
	}
	for _, a := range verify.Advice(c.checker.Astray) {
		meta.Advice.Add(b.Profile, a)
	}
	if n := c.labels.Incomplete; n > 0 {
		meta.SamplesWithCutLabels.Add(b.Profile, int64(n))
	}
	meta.UnwindTables.Add(b.Profile, fmt.Sprintf("%d rows in %d KiB", c.tables.Rows, c.tables.Bytes()>>10))
	if n := c.tables.Refused; n > 0 {
		meta.ObjectsWithoutTables.Add(b.Profile, int64(n))
	}
	if n := c.unranged; n > 0 {
		meta.ProcessesWithoutTables.Add(b.Profile, int64(n))
	}
	if n := c.table.Unread; n > 0 {
		meta.ProcessesEndedUnread.Add(b.Profile, int64(n))
	}
	return nil
}
