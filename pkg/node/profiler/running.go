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
)

// running is a capture from its first sample to the finished profile. It implements server.Capture.
type running struct {
	sampler     capture.Sampler
	request     api.Request
	symbolizing atomic.Bool

	mu      sync.Mutex // held while a slice is made
	sampled bool       // sampling has ended
	slices  symbol.Symbolizer
}

// Run samples, and symbolizes afterwards: reading symbols takes memory and CPU time that the target should have while it is
// sampled.
func (r *running) Run(ctx context.Context) (*profile.Profile, error) {
	defer debug.FreeOSMemory() // our memory counts towards the pod's limit
	defer r.sampler.Close()
	result, err := r.sampler.Run(ctx)
	r.mu.Lock()
	r.sampled = true
	r.mu.Unlock()
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
		meta.Partial.Add(p, fmt.Sprintf("%s after %v of %v", meta.Stopped,
			time.Duration(p.DurationNanos).Round(100*time.Millisecond), r.request.Duration))
	}
	return p, nil
}

// Slice symbolizes each slice at once, because the profiler may be killed at any time.
func (r *running) Slice() (*profile.Profile, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sampled {
		return nil, nil
	}
	result, err := r.sampler.Slice()
	if err != nil || result == nil {
		return nil, err
	}
	if err := r.slices.Symbolize(result.Profile, result.File, result.PerfMap); err != nil {
		return nil, fmt.Errorf("symbolize a slice: %w", err)
	}
	return result.Profile.Compact(), nil // without the locations that only earlier slices use
}

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
