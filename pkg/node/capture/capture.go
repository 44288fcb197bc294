//go:build linux

// Package capture makes unsymbolized profiles of a container: addresses with their mappings. Its entry point is New.
// It must not depend on Kubernetes or on symbolization, which package symbol does.
package capture

import (
	"context"
	"fmt"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/wall"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Types that all samplers share.
type (
	Options  = run.Options
	Progress = run.Progress
	Result   = builder.Result
)

// Sampler makes one profile.
type Sampler interface {
	// Run captures until ctx is done, which is the normal end and no error, or until there is nothing more to capture. It
	// may be called once.
	Run(ctx context.Context) (*Result, error)
	// Slice returns what was captured since the last slice, while Run runs; nil if there is nothing to return. It must not be
	// called concurrently, nor after Close.
	Slice() (*Result, error)
	// Progress may be called at any time.
	Progress() Progress
	// Close releases everything. The files of a Result must not be used after it.
	Close() error
}

// samplers maps each profile type to its constructor.
var samplers = map[api.ProfileType]func(Options) (Sampler, error){
	api.CPU:       constructor(sampling.NewCPU),
	api.OffCPU:    constructor(sampling.NewOffCPU),
	api.Faults:    constructor(sampling.NewFaults),
	api.Wall:      constructor(wall.New),
	api.Heap:      constructor(profiles.NewHeap),
	api.Allocs:    constructor(profiles.NewAllocs),
	api.Mutex:     constructor(profiles.NewMutex),
	api.Block:     constructor(profiles.NewBlock),
	api.Goroutine: constructor(profiles.NewGoroutines),
}

func constructor[S Sampler](create func(Options) (S, error)) func(Options) (Sampler, error) {
	return func(o Options) (Sampler, error) {
		s, err := create(o)
		if err != nil {
			return nil, err // not a Sampler that holds a nil pointer
		}
		return s, nil
	}
}

// New prepares a sampler of a profile type, without sampling yet. Its errors wrap kernel.ErrNoBTF, kernel.ErrKernelTooOld,
// kernel.ErrUnsafeUserReads, kernel.ErrNotPermitted, proc.ErrNoContainer, profiles.ErrNoGo, profiles.ErrMemoryRefused, golang.ErrMemProfileOff or
// golang.ErrNotCollected where one of these is the cause.
func New(profileType api.ProfileType, o Options) (Sampler, error) {
	create := samplers[profileType]
	if create == nil {
		return nil, fmt.Errorf("there is no profile of type %q", profileType.Name)
	}
	return create(o)
}
