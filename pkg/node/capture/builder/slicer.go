//go:build linux

package builder

import (
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
)

// Slicer makes profiles of what came since the last one. Its builder is used for all slices of a capture, so
// that a place in the code that was named once need not be named again.
type Slicer struct {
	Builder *Builder
	Begin   time.Time // of the next slice
}

// Next gives the builder, empty, for the slice from the end of the last one until now; the first begins when the
// capture did.
func (s *Slicer) Next(began time.Time, k Kind) *Builder {
	if s.Builder == nil {
		s.Begin = began
		s.Builder = New(began, 0, k)
	}
	now := time.Now()
	p := s.Builder.Profile
	p.TimeNanos, p.DurationNanos = s.Begin.UnixNano(), now.Sub(s.Begin).Nanoseconds()
	p.Sample, p.Comments = nil, nil
	s.Begin = now
	return s.Builder
}

// AddAll adds all stacks.
func (b *Builder) AddAll(t *stack.Table) {
	for _, e := range t.Sorted() {
		if e.Total.Count == 0 {
			continue // a stack of a wait that was told nothing of
		}
		b.addStack(e, e.Total, e.Times, t.Times.Step())
	}
}

// AddChanged adds what came since it was called last.
func (b *Builder) AddChanged(t *stack.Table) {
	for _, e := range t.Changed {
		b.addStack(e, e.Total.Minus(e.Sliced), nil, 0) // times would keep slices from being merged
		e.Sliced, e.Changed = e.Total, false
	}
	t.Changed = t.Changed[:0]
}
