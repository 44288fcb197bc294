//go:build linux

package profiler

import (
	"context"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// sampler is what the samplers of package capture have in common.
type sampler interface {
	Run(context.Context) (*capture.Result, error)
	Slice() (*capture.Result, error)
	Progress() capture.Progress
	Close() error
}

// samplers has the constructor for each of api.ProfileTypes.
var samplers = map[api.ProfileType]func(capture.Options) (sampler, error){
	api.CPU:       func(o capture.Options) (sampler, error) { return capture.NewCPU(o) },
	api.OffCPU:    func(o capture.Options) (sampler, error) { return capture.NewOffCPU(o) },
	api.Faults:    func(o capture.Options) (sampler, error) { return capture.NewFaults(o) },
	api.Heap:      func(o capture.Options) (sampler, error) { return capture.NewHeap(o) },
	api.Allocs:    func(o capture.Options) (sampler, error) { return capture.NewAllocs(o) },
	api.Mutex:     func(o capture.Options) (sampler, error) { return capture.NewMutex(o) },
	api.Block:     func(o capture.Options) (sampler, error) { return capture.NewBlock(o) },
	api.Goroutine: func(o capture.Options) (sampler, error) { return capture.NewGoroutines(o) },
	api.Wall:      func(o capture.Options) (sampler, error) { return capture.NewWall(o) },
}
