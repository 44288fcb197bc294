package capture

import (
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/proc"
)

// slicer makes profiles of what came since the last one. Its builder is used for all slices of a capture, so
// that a place in the code that was named once need not be named again.
type slicer struct {
	builder *profileBuilder
	begin   time.Time // of the next slice
}

// Slice gives what was sampled since the last one, or since the beginning, while Run goes on; it may be used
// until the next one is asked for. Its comments tell of the whole capture. It must not be called twice at once, nor
// after Close; before Run it gives nil.
func (c *Sampler) Slice() (*Result, error) {
	began := c.started.Load()
	if began == 0 {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.slices
	if s.builder == nil {
		s.begin = time.Unix(0, began)
		s.builder = newProfileBuilder(s.begin, 0, c.plan.kind)
	}
	now := time.Now()
	p := s.builder.profile
	p.TimeNanos, p.DurationNanos = s.begin.UnixNano(), now.Sub(s.begin).Nanoseconds()
	p.Sample, p.Comments = nil, nil
	s.begin = now
	for _, e := range c.stacks.changed {
		s.builder.add(e, e.total.minus(e.sliced), nil, 0) // times would keep slices from being merged
		e.sliced, e.changed = e.total, false
	}
	c.stacks.changed = c.stacks.changed[:0]
	if err := c.describe(s.builder); err != nil {
		return nil, err
	}
	result, err := s.builder.result()
	if err != nil {
		return nil, err
	}
	perfMap := result.PerfMap
	result.PerfMap = func(m *pprofMapping) *proc.File {
		c.mu.Lock() // the process may get another one meanwhile
		defer c.mu.Unlock()
		return perfMap(m)
	}
	return result, nil
}
