//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/slice"
)

// running is a capture from its first sample to the finished profile. It implements server.Capture.
type running struct {
	sampler     capture.Sampler
	request     api.Request
	steps       *api.Steps
	closed      func() // called at the end of Close
	symbolizing atomic.Bool

	mu      sync.Mutex // held while a slice is made
	sampled bool       // sampling has ended
	names   symbol.Symbolizer
	slices  slice.Encoder
}

// Run samples, and symbolizes afterwards: reading symbols takes memory and CPU time that the target should have while it is
// sampled.
func (r *running) Run(ctx context.Context) (*profile.Profile, error) {
	result, err := r.sample(ctx)
	r.steps.Begin("names")
	if err != nil {
		return nil, refusal(err)
	}
	r.symbolizing.Store(true)
	p := result.Profile
	if err := symbol.Symbolize(p, result.File, result.PerfMap); err != nil {
		return nil, fmt.Errorf("symbolize the profile: %w", err)
	}
	// Sampling that takes its whole time ends with DeadlineExceeded.
	if !result.Instant && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		meta.Partial.Add(p, meta.StoppedEarly(time.Duration(p.DurationNanos).Round(100*time.Millisecond), r.request.Duration))
	}
	return p, nil
}

func (r *running) sample(ctx context.Context) (*capture.Result, error) {
	defer r.endSlices() // also after a panic, because the sampler is closed then
	r.steps.Begin("sampling")
	return r.sampler.Run(ctx)
}

// endSlices makes Slice return nothing more. It frees what the slices needed, before the names of
// the whole profile are read.
func (r *running) endSlices() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sampled, r.names, r.slices = true, symbol.Symbolizer{}, slice.Encoder{}
}

// Slice names what is new in each slice, because the profiler may be killed at any time.
func (r *running) Slice() (*slice.Slice, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sampled {
		return nil, nil
	}
	result, err := r.sampler.Slice()
	if err != nil || result == nil {
		return nil, err
	}
	r.names.Update(result.Profile, result.File, result.PerfMap)
	r.slices.Unknown, r.slices.IsWrapper = symbol.UnknownName, r.names.IsWrapper
	return r.slices.Next(result.Profile), nil
}

// Close frees the sampler. The kernel takes some time for that, so the profile is sent before.
func (r *running) Close() {
	r.sampler.Close()
	debug.FreeOSMemory() // our memory counts towards the pod's limit
	r.closed()
}

// Steps returns the steps of the capture with their times.
func (r *running) Steps() []api.Step { return r.steps.End() }

// Progress returns how far the capture has come.
func (r *running) Progress() api.Progress {
	p := r.sampler.Progress()
	state := api.Sampling
	if r.symbolizing.Load() {
		state = api.Symbolizing
	}
	return api.Progress{
		State: state, ElapsedMs: p.Elapsed.Milliseconds(),
		Samples: p.Samples, Lost: p.Lost, Processes: p.Processes,
	}
}
