//go:build linux

package builder

import (
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
)

// Slicer makes consecutive profiles of one capture. All slices share a builder, so each location is
// symbolized only once.
type Slicer struct {
	Builder *Builder
	Begin   time.Time // start of the next slice
}

// Next returns the builder, without samples, for the slice from the end of the previous one until
// now. The first slice starts at began, the start of the capture.
func (s *Slicer) Next(began time.Time, k Kind) *Builder {
	if s.Builder == nil {
		s.Begin = began
		s.Builder = New(began, 0, k)
	}
	now := time.Now()
	p := s.Builder.Profile
	p.TimeNanos, p.DurationNanos = s.Begin.UnixNano(), now.Sub(s.Begin).Nanoseconds()
	s.Builder.out.Reset()
	s.Begin = now
	return s.Builder
}

// AddAll adds all stacks of the table with their totals.
func (b *Builder) AddAll(t *stack.Table) {
	for _, e := range t.Sorted() {
		if e.Total.Count == 0 {
			continue // the stack of a wait that has not been reported
		}
		b.addStack(e, e.Total, e.Times, t.Times.Step())
	}
}

// AddChanged adds what the stacks have gained since the previous call.
func (b *Builder) AddChanged(t *stack.Table) {
	for _, e := range t.Changed {
		b.addStack(e, e.Total.Minus(e.Sliced), nil, 0) // times would keep slices from being merged
		e.Sliced, e.Changed = e.Total, false
	}
	t.Changed = t.Changed[:0]
}
