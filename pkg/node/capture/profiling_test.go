//go:build linux

package capture_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
)

// sampler is what makes a profile.
type sampler interface {
	Run(context.Context) (*capture.Result, error)
	Close() error
}

// slicingSampler is a sampler that tells what it has sampled so far.
type slicingSampler interface {
	sampler
	Slice() (*capture.Result, error)
}

// runProfile makes a profile as the profiler does.
func runProfile[S sampler](t *testing.T, make func(capture.Options) (S, error), o capture.Options, d time.Duration) (*profile.Profile, error) {
	t.Helper()
	c, err := make(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	r, err := c.Run(ctx)
	if err != nil {
		return nil, err
	}
	return symbolize(t, r), nil
}

// runUntil makes a profile until done, which is called with each slice, returns true, or the limit has passed. It closes the
// sampler at the end of the test.
func runUntil(
	t *testing.T, c slicingSampler, limit time.Duration, done func(slice *profile.Profile) bool,
) (whole *profile.Profile, slices []*profile.Profile) {
	t.Helper()
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	result := make(chan *capture.Result, 1)
	go func() {
		defer cancel()
		r, err := c.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		result <- r
	}()
	for ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		s, err := c.Slice()
		if err != nil {
			t.Fatal(err)
		}
		if s == nil {
			continue
		}
		slice := symbolize(t, s).Compact().Copy()
		slices = append(slices, slice)
		if done(slice) {
			cancel()
		}
	}
	r := <-result
	if r == nil {
		t.FailNow()
	}
	return symbolize(t, r), slices
}

// merge adds a slice to the sum of the previous ones, which is nil before the first.
func merge(t *testing.T, sum, slice *profile.Profile) *profile.Profile {
	t.Helper()
	if sum == nil {
		return slice
	}
	sum, err := profile.Merge([]*profile.Profile{sum, slice})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// profileDuring profiles a target for at least d. Once sampling has started it runs meanwhile, and waits for it.
func profileDuring(
	t *testing.T, s *target, create func(capture.Options) (*sampling.Sampler, error), o capture.Options, d time.Duration, meanwhile func(),
) *profile.Profile {
	t.Helper()
	o.ContainerID = s.id
	c, err := create(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		for c.Progress().Elapsed < 100*time.Millisecond {
			if ctx.Err() != nil {
				return // sampling has failed
			}
			time.Sleep(10 * time.Millisecond)
		}
		if meanwhile != nil {
			meanwhile()
		}
		time.Sleep(d - c.Progress().Elapsed)
	}()
	r, err := c.Run(ctx)
	cancel()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	return symbolize(t, r)
}

// sampleUntil samples a target's CPU time until done, which is called with each slice, returns true, or for
// capture.WaitLimit.
func sampleUntil(t *testing.T, s *target, o capture.Options, done func(slice *profile.Profile) bool) *profile.Profile {
	t.Helper()
	o.ContainerID = s.id
	c, err := sampling.NewCPU(o)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := runUntil(t, c, capture.WaitLimit, done)
	return p
}

// nearlyAll returns a function for runUntil. It reports whether, of the samples since it was last asked about at least n, no
// less than the given share are right.
func nearlyAll(n int64, share float64, right func(slice *profile.Profile) int64) func(slice *profile.Profile) bool {
	var all, good int64
	return func(slice *profile.Profile) bool {
		all, good = all+total(slice), good+right(slice)
		if all < n {
			return false
		}
		enough := float64(good) >= share*float64(all)
		all, good = 0, 0
		return enough
	}
}

// sample samples a target's CPU time while it runs meanwhile.
func sample(t *testing.T, s *target, hz int, meanwhile func()) *profile.Profile {
	t.Helper()
	return profileDuring(t, s, sampling.NewCPU, capture.Options{Frequency: hz}, 0, meanwhile)
}

// sampleFor samples a target until it has used the given CPU time. The number of samples therefore does not depend on
// the machine's load.
func sampleFor(t *testing.T, s *target, hz int, cpu time.Duration) *profile.Profile {
	t.Helper()
	return sample(t, s, hz, func() { <-capture.UntilUsed(t, s.pid, cpu).Done() })
}

// profileOf starts a program and samples it until it has used the given CPU time.
func profileOf(t *testing.T, hz int, cpu time.Duration, program string, args ...string) *profile.Profile {
	t.Helper()
	s := startWithPipes(t, program, args...)
	<-capture.UntilUsed(t, s.pid, 50*time.Millisecond).Done() // wait until it is initialized
	return sampleFor(t, s, hz, cpu)
}

// symbolize names the functions of a result.
func symbolize(t testing.TB, r *capture.Result) *profile.Profile {
	t.Helper()
	if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
		t.Fatal(err)
	}
	return r.Profile
}
