//go:build linux

package capture

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
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Sampler makes one profile of a container from the stacks of its threads.
type Sampler struct {
	lifecycle
	options  Options
	plan     plan
	maps     bpf.CPUMaps
	programs []*ebpf.Program
	events   *events // nil if there are none
	waits    *waits  // likewise
	reader   *ringbuf.Reader
	table    *processTable
	stacks   *stackTable
	tables   *unwindTables
	ranges   *processRanges
	checker  *stackChecker
	labels   labelSets
	unranged int // processes for whose mappings there was no room

	mu     sync.Mutex // for all that samples change, while Run runs
	slices slicer
}

// plan is what a sampler samples.
type plan struct {
	kind        kind
	event       *unix.PerfEventAttr   // at which samples are taken, nil for none
	stepSamples uint32                // samples of a second and CPU after which fewer are taken, 0 for none: bpf/cpu.bpf.c
	weigh       func(*sample) amount  // what such a sample stands for
	waits       bool                  // sample where threads wait, too
	states      bool                  // samples name the state of their thread
	leaveOut    func(pid int) bool    // of processes, by their PIDs in our namespace; nil: none
	describe    func(*profileBuilder) // adds comments
}

// newSampler loads the BPF programs and attaches them, without sampling yet. Its errors wrap ErrNoBTF,
// ErrKernelTooOld, ErrNotPermitted or proc.ErrNoContainer where one of these is the cause.
func newSampler(o Options, p plan) (*Sampler, error) {
	if err := checkKernel(); err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil { // before 5.11 maps count against this limit
		return nil, explain("raise the limit of locked memory", err)
	}
	t, err := findTarget(o.ContainerID, o.Restarts)
	if err != nil {
		return nil, err
	}
	c := &Sampler{options: o, plan: p, stacks: newStackTable()}
	c.table = newProcessTable(o.PIDs, c.mapped)
	c.table.slot, c.table.leaveOut = t.slot, p.leaveOut
	if err := c.load(t); err != nil {
		c.Close()
		return nil, err
	}
	for i := range t.tasks {
		c.table.of(&t.tasks[i])
	}
	return c, nil
}

// Run samples until ctx is done, which is the normal end and no error, and gives what was captured.
// It may be called once.
func (c *Sampler) Run(ctx context.Context) (*Result, error) {
	begin, err := c.start()
	if err != nil {
		return nil, err
	}
	if c.options.Times {
		c.stacks.times = newTimes()
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

// forget has a process be looked at anew with its next sample. It may be called while Run runs.
func (c *Sampler) forget(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table.forget(pid)
}

// enable starts or stops the sampling.
func (c *Sampler) enable(on bool) error {
	if c.events != nil {
		if err := c.events.enable(on); err != nil {
			return err
		}
	}
	if c.waits != nil {
		return c.waits.enable(on)
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
			err := c.waits.gather(stopping)
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

// keep takes in one record of the ring buffer.
func (c *Sampler) keep(raw []byte) {
	switch kindOf(raw) {
	case bpf.CPURecordKindRECORD_LABELS:
		_ = c.labels.keep(raw) // else the sample has none
		return
	case bpf.CPURecordKindRECORD_WAIT_TOTAL, bpf.CPURecordKindRECORD_UNWALKED_TOTAL:
		if c.waits == nil {
			return
		}
		r, err := parseWaited(raw)
		if err != nil {
			c.stacks.dropped++
			return
		}
		c.waits.ended(r)
		return
	}
	s, err := parseSample(raw)
	if err != nil {
		c.stacks.dropped++
		return
	}
	if c.waits != nil {
		c.waits.complete(&s)
	}
	c.keepSample(&s)
}

// keepSample adds a sample to those with the same stack. If it is of a wait, its stack is only made known: what was
// waited there comes by itself.
func (c *Sampler) keepSample(s *sample) {
	generation, wanted := c.table.of(s)
	var e *stackEntry
	if wanted {
		user, end := c.checker.check(generation, s)
		group, labels := c.labels.of(s)
		if c.options.ByThread {
			group, labels = addThread(s, group, labels)
		}
		if c.plan.states {
			group, labels = addState(s, group, labels)
		}
		e = c.stacks.find(generation, s.kernel, user, end, group, labels)
	}
	if s.serial != 0 && c.waits != nil {
		c.waits.came(s, e, wanted)
	} else if e != nil {
		c.stacks.add(e, c.plan.weigh(s), s.time)
		c.kept.Add(1)
	}
	if e != nil && !generation.sampled {
		generation.sampled = true
		c.processes.Add(1)
	}
}

func (c *Sampler) countLost() error {
	var perCPU []uint64
	if err := c.maps.Lost.Lookup(uint32(0), &perCPU); err != nil {
		return fmt.Errorf("count lost samples: %w", err)
	}
	total := c.stacks.dropped
	for _, n := range perCPU {
		total += n
	}
	c.lost.Store(total)
	return nil
}

// Slice gives what was sampled since the last one, or since the beginning, while Run goes on; it may be used
// until the next one is asked for. Its comments tell of the whole capture. It must not be called twice at once, nor
// after Close; before Run it gives nil.
func (c *Sampler) Slice() (*Result, error) {
	began, ok := c.startTime()
	if !ok {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits != nil {
		if err := c.waits.gather(false); err != nil {
			return nil, err
		}
	}
	b := c.slices.next(began, c.plan.kind)
	b.addChanged(c.stacks)
	if err := c.describe(b); err != nil {
		return nil, err
	}
	result, err := b.result()
	if err != nil {
		return nil, err
	}
	c.guardPerfMaps(result)
	return result, nil
}

// guardPerfMaps lets a result's PerfMap be called while Run runs: a process may get another list meanwhile.
func (c *Sampler) guardPerfMaps(r *Result) {
	open := r.PerfMap
	r.PerfMap = func(m *profile.Mapping) *proc.File {
		c.mu.Lock()
		defer c.mu.Unlock()
		return open(m)
	}
}

// addStacks calls add with the stacks that were sampled until now, and describes in comments how they came.
func (c *Sampler) addStacks(add func(*stackTable), comments *profileBuilder) error {
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
		errs = append(errs, c.tables.close())
	}
	if c.waits != nil {
		errs = append(errs, c.waits.close())
	}
	for _, p := range c.programs {
		errs = append(errs, p.Close())
	}
	errs = append(errs, c.maps.Close(), c.table.close())
	return errors.Join(errs...)
}

// result ends the aggregation.
func (c *Sampler) result(begin time.Time, duration time.Duration) (*Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := newProfileBuilder(begin, duration, c.plan.kind)
	b.addAll(c.stacks)
	if err := c.describe(b); err != nil {
		return nil, err
	}
	return b.result()
}

// describe says in comments what was captured until now.
func (c *Sampler) describe(b *profileBuilder) error {
	release, err := kernelRelease()
	if err != nil {
		return err
	}
	if c.plan.event != nil {
		b.comment("frequency: %d Hz", c.options.Frequency)
	}
	if c.options.ByThread {
		b.comment("by: thread")
	}
	if t := c.stacks.times; t != nil && t.width > timeWidth {
		b.comment("times: in steps of %v", t.width)
	}
	b.comment("samples: %d", c.kept.Load())
	b.comment("lost samples: %d", c.lost.Load())
	b.comment("kernel: %s", release)
	b.comment("truncated stacks: %d", c.stacks.ends[truncated])
	b.comment("broken stacks: %d", c.stacks.ends[broken])
	if n := c.checker.early; n > 0 {
		b.comment("broken stacks of programs that had just begun: %d", n)
	}
	if c.plan.describe != nil {
		c.plan.describe(b)
	}
	if c.waits != nil {
		c.waits.describe(b)
	}
	for _, a := range advice(c.checker.astray) {
		b.comment("advice: %s", a)
	}
	if n := c.labels.cut; n > 0 {
		b.comment("samples with more goroutine labels than are read: %d", n)
	}
	b.comment("unwind tables: %d rows in %d KiB", c.tables.rows, c.tables.bytes()>>10)
	if n := c.tables.refused; n > 0 {
		b.comment("objects without room for their unwind tables: %d", n)
	}
	if n := c.unranged; n > 0 {
		b.comment("processes without room for their unwind tables: %d", n)
	}
	if n := c.table.unread; n > 0 {
		b.comment("processes that ended before they could be read: %d", n)
	}
	return nil
}
