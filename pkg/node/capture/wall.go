//go:build linux

package capture

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// Wall samples what a container does and waits for over time: of Go programs all goroutines, of others all threads.
type Wall struct {
	lifecycle
	goroutines *goroutineWall // nil if there is no Go program
	threads    *Sampler       // nil if there are only Go programs, or no BPF
	noThreads  error          // why there is none
	slices     slicer
}

// NewWall prepares to sample. Its errors are those of NewGoroutines and, where the container has no Go program,
// those of NewCPU. Where BPF is refused, Go programs alone are sampled.
func NewWall(o Options) (*Wall, error) {
	w := &Wall{}
	var err error
	if w.goroutines, err = newGoroutineWall(o); err != nil && !errors.Is(err, ErrNoGo) {
		return nil, err
	}
	if w.goroutines != nil && w.goroutines.readsAll() {
		return w, nil
	}
	w.threads, w.noThreads = newThreadWall(o, func(pid int) bool { return w.goroutines != nil && w.goroutines.has(pid) })
	if w.noThreads != nil && w.goroutines == nil {
		return nil, fmt.Errorf("%w; %w", w.noThreads, err)
	}
	if w.threads != nil && w.goroutines != nil {
		w.goroutines.removed = w.threads.forget // what it does now is seen by its threads
	}
	return w, nil
}

func wallKind() kind {
	wall := &profile.ValueType{Type: "time", Unit: "nanoseconds"}
	return kind{
		types:       []*profile.ValueType{{Type: "samples", Unit: "count"}, wall},
		defaultType: wall.Type, periodType: wall, period: time.Second.Nanoseconds() / wallFrequency,
	}
}

// Run samples until ctx is done, which is the normal end and no error, and returns what was captured. It may be called
// once.
func (w *Wall) Run(ctx context.Context) (*Result, error) {
	begin, err := w.start()
	if err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() {
		var err error
		if w.threads != nil {
			_, err = w.threads.Run(ctx)
		}
		failed <- err
	}()
	if w.goroutines != nil {
		w.goroutines.readUntil(ctx)
	}
	<-ctx.Done()
	duration := time.Since(begin)
	if err := <-failed; err != nil {
		return nil, err
	}
	b := newProfileBuilder(begin, duration, wallKind())
	if err := w.build(b, b.addAll); err != nil {
		return nil, err
	}
	return b.result()
}

// Slice is that of Sampler.
func (w *Wall) Slice() (*Result, error) {
	began, ok := w.startTime()
	if !ok {
		return nil, nil
	}
	b := w.slices.next(began, wallKind())
	if err := w.build(b, b.addChanged); err != nil {
		return nil, err
	}
	result, err := b.result()
	if err == nil && w.threads != nil {
		w.threads.guardPerfMaps(result)
	}
	return result, err
}

// build adds the stacks of both kinds, and says in comments how they came.
func (w *Wall) build(b *profileBuilder, add func(*stackTable)) error {
	of := &profileBuilder{profile: &profile.Profile{}}
	if w.goroutines != nil {
		w.goroutines.addStacks(add)
	}
	if w.threads != nil {
		if err := w.threads.addStacks(add, of); err != nil {
			return err
		}
	}
	if err := w.describe(b); err != nil {
		return err
	}
	for _, c := range of.profile.Comments {
		switch key, _, _ := strings.Cut(c, ": "); key {
		case "kernel", "samples", "lost samples":
		case "advice":
			b.comment("%s", c)
		default:
			b.comment("threads of other programs: %s", c)
		}
	}
	return nil
}

func (w *Wall) describe(b *profileBuilder) error {
	release, err := kernelRelease()
	if err != nil {
		return err
	}
	p := w.Progress()
	lost := p.Lost
	if w.goroutines != nil {
		lost += w.goroutines.dropped()
	}
	b.comment("samples: %d", p.Samples)
	b.comment("lost samples: %d", lost)
	b.comment("kernel: %s", release)
	if w.goroutines != nil {
		w.goroutines.describe(b)
	}
	if w.noThreads != nil {
		b.comment("threads of other programs: not sampled, for %v", w.noThreads)
	}
	return nil
}

// Progress returns what has been captured so far, of both kinds.
func (w *Wall) Progress() Progress {
	p := w.lifecycle.Progress()
	if w.threads != nil {
		threads := w.threads.Progress()
		p.Samples, p.Lost, p.Processes = threads.Samples, threads.Lost, threads.Processes
	}
	if w.goroutines != nil {
		p.Samples += w.goroutines.kept.Load()
		p.Processes += w.goroutines.processes.len()
	}
	return p
}

// Close detaches the programs and closes all files; the result's File must not be used after it.
func (w *Wall) Close() error {
	var errs []error
	if w.goroutines != nil {
		errs = append(errs, w.goroutines.close())
	}
	if w.threads != nil {
		errs = append(errs, w.threads.Close())
	}
	return errors.Join(errs...)
}
