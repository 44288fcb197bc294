//go:build linux

package sampling

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Slice returns what was sampled since the last slice while Run runs, and nil before and after it. The result may be used until the
// next call. Its comments describe the whole capture. Slice must not be called concurrently, nor after Close.
func (c *Sampler) Slice() (*builder.Result, error) {
	began, ok := c.StartTime()
	if !ok {
		return nil, nil
	}
	if err := c.flush(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil, nil
	}
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
	if err := c.flush(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits != nil {
		if err := c.waits.Gather(false); err != nil {
			return err
		}
	}
	add(c.stacks)
	return c.describe(comments)
}

// result builds the profile of all samples. It then frees the stacks, before the memory for names and for encoding is
// needed.
func (c *Sampler) result(begin time.Time, duration time.Duration) (*builder.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := builder.New(begin, duration, c.plan.kind)
	b.AddAll(c.stacks)
	c.ended = true
	c.stacks.Free()
	c.slices = builder.Slicer{}
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
	for _, a := range c.table.Packed {
		meta.Advice.Add(b.Profile, a)
	}
	for _, a := range c.checker.Advice() {
		meta.Advice.Add(b.Profile, a)
	}
	if n := c.labels.Incomplete; n > 0 {
		meta.SamplesWithCutLabels.Add(b.Profile, int64(n))
	}
	if n := c.labels.Lost; n > 0 {
		meta.SamplesWithLostLabels.Add(b.Profile, int64(n))
	}
	if n := c.table.CutMappings; n > 0 {
		meta.ProcessesWithCutMappings.Add(b.Profile, int64(n))
	}
	tables := c.tables.Stats()
	meta.UnwindTables.Add(b.Profile, fmt.Sprintf("%d rows in %d KiB", tables.Rows, tables.Bytes>>10))
	if n := tables.Refused; n > 0 {
		meta.ObjectsWithoutTables.Add(b.Profile, int64(n))
		for _, reason := range tables.Reasons {
			meta.LeftOut.Add(b.Profile, "unwind table: "+reason)
		}
	}
	if n := c.loader.Failed(); n > 0 {
		meta.ProcessesWithoutTables.Add(b.Profile, int64(n))
	}
	if n := c.table.Unread; n > 0 {
		meta.ProcessesEndedUnread.Add(b.Profile, int64(n))
	}
	return nil
}
