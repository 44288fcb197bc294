//go:build linux

package wall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Wall samples all goroutines of a container's Go programs and all threads of its other programs.
type Wall struct {
	run.Lifecycle
	goroutines *profiles.Wall    // nil if there is no Go program
	threads    *sampling.Sampler // nil if there are only Go programs, or no BPF
	noThreads  error             // why threads cannot be sampled
	slices     builder.Slicer
}

// New prepares to sample. If BPF is refused, only Go programs are sampled. It returns the errors of profiles.NewGoroutines
// and, if the container has no Go program, those of sampling.NewCPU.
func New(o run.Options) (*Wall, error) {
	w := &Wall{}
	var err error
	if w.goroutines, err = profiles.NewWall(o); err != nil && !errors.Is(err, profiles.ErrNoGo) {
		return nil, err
	}
	if w.goroutines != nil && w.goroutines.ReadsAll() {
		return w, nil
	}
	w.threads, w.noThreads = sampling.NewThreadWall(o, func(pid int) bool { return w.goroutines != nil && w.goroutines.Has(pid) })
	if w.noThreads != nil && w.goroutines == nil {
		return nil, fmt.Errorf("%w; %w", w.noThreads, err)
	}
	if w.threads != nil && w.goroutines != nil {
		w.goroutines.Removed = w.threads.Forget // from now on its threads are sampled
	}
	return w, nil
}

func wallKind() builder.Kind {
	wall := &profile.ValueType{Type: "time", Unit: "nanoseconds"}
	return builder.Kind{
		Types:       []*profile.ValueType{{Type: "samples", Unit: "count"}, wall},
		DefaultType: wall.Type, PeriodType: wall, Period: time.Second.Nanoseconds() / profiles.WallFrequency,
	}
}

// Run samples until ctx is done, which is the normal end and no error, and returns what was captured. It may be called
// once.
func (w *Wall) Run(ctx context.Context) (*builder.Result, error) {
	begin, err := w.Start()
	if err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() {
		var err error
		if w.threads != nil {
			_, _, err = w.threads.Sample(ctx)
		}
		failed <- err
	}()
	if w.goroutines != nil {
		w.goroutines.Run(ctx)
	}
	<-ctx.Done()
	duration := time.Since(begin)
	if err := <-failed; err != nil {
		return nil, err
	}
	b := builder.New(begin, duration, wallKind())
	if err := w.build(b, b.AddAll); err != nil {
		return nil, err
	}
	return b.Result()
}

// Slice returns what was sampled since the last slice while Run runs, and nil before Run.
func (w *Wall) Slice() (*builder.Result, error) {
	began, ok := w.StartTime()
	if !ok {
		return nil, nil
	}
	b := w.slices.Next(began, wallKind())
	if err := w.build(b, b.AddChanged); err != nil {
		return nil, err
	}
	result, err := b.Result()
	if err == nil && w.threads != nil {
		w.threads.GuardPerfMaps(result)
	}
	return result, err
}

// build adds the stacks of goroutines and threads, and comments about both.
func (w *Wall) build(b *builder.Builder, add func(*stack.Table)) error {
	threads := &profile.Profile{} // only for comments
	if w.goroutines != nil {
		w.goroutines.AddStacks(add)
	}
	if w.threads != nil {
		if err := w.threads.AddStacks(add, &builder.Builder{Profile: threads}); err != nil {
			return err
		}
	}
	if err := w.describe(b); err != nil {
		return err
	}
	for _, c := range threads.Comments {
		switch {
		case meta.Kernel.Is(c), meta.Samples.Is(c), meta.LostSamples.Is(c): // describe has added them
		case meta.Advice.Is(c):
			b.Profile.Comments = append(b.Profile.Comments, c)
		default:
			meta.OtherThreads.Add(b.Profile, c)
		}
	}
	return nil
}

func (w *Wall) describe(b *builder.Builder) error {
	release, err := kernel.Release()
	if err != nil {
		return err
	}
	p := w.Progress()
	lost := p.Lost
	if w.goroutines != nil {
		lost += w.goroutines.Dropped()
	}
	meta.Samples.Add(b.Profile, int64(p.Samples))
	meta.LostSamples.Add(b.Profile, int64(lost))
	meta.Kernel.Add(b.Profile, release)
	if w.goroutines != nil {
		w.goroutines.Describe(b)
	}
	if w.noThreads != nil {
		meta.OtherThreads.Add(b.Profile, fmt.Sprintf("not sampled: %v", w.noThreads))
	}
	return nil
}

// Progress returns what has been captured so far, of both kinds.
func (w *Wall) Progress() run.Progress {
	p := w.Lifecycle.Progress()
	if w.threads != nil {
		threads := w.threads.Progress()
		p.Samples, p.Lost, p.Processes = threads.Samples, threads.Lost, threads.Processes
	}
	if w.goroutines != nil {
		p.Samples += w.goroutines.Kept.Load()
		p.Processes += w.goroutines.Processes.Len()
	}
	return p
}

// Close detaches the programs and closes all files. The File and PerfMap of a result must not be used afterwards.
func (w *Wall) Close() error {
	var errs []error
	if w.goroutines != nil {
		errs = append(errs, w.goroutines.Close())
	}
	if w.threads != nil {
		errs = append(errs, w.threads.Close())
	}
	return errors.Join(errs...)
}
