//go:build linux

package capture

import (
	"time"
)

// slicer makes profiles of what came since the last one. Its builder is used for all slices of a capture, so
// that a place in the code that was named once need not be named again.
type slicer struct {
	builder *profileBuilder
	begin   time.Time // of the next slice
}

// next gives the builder, empty, for the slice from the end of the last one until now; the first begins when the
// capture did.
func (s *slicer) next(began time.Time, k kind) *profileBuilder {
	if s.builder == nil {
		s.begin = began
		s.builder = newProfileBuilder(began, 0, k)
	}
	now := time.Now()
	p := s.builder.profile
	p.TimeNanos, p.DurationNanos = s.begin.UnixNano(), now.Sub(s.begin).Nanoseconds()
	p.Sample, p.Comments = nil, nil
	s.begin = now
	return s.builder
}

// addAll adds all stacks.
func (b *profileBuilder) addAll(t *stackTable) {
	for _, e := range t.sorted() {
		if e.total.count == 0 {
			continue // a stack of a wait that was told nothing of
		}
		b.add(e, e.total, e.times, t.times.step())
	}
}

// addChanged adds what came since it was called last.
func (b *profileBuilder) addChanged(t *stackTable) {
	for _, e := range t.changed {
		b.add(e, e.total.minus(e.sliced), nil, 0) // times would keep slices from being merged
		e.sliced, e.changed = e.total, false
	}
	t.changed = t.changed[:0]
}
