//go:build linux

package profiler

import (
	"context"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
)

// sampler is what the samplers of package capture have in common.
type sampler interface {
	Run(context.Context) (*capture.Result, error)
	Slice() (*capture.Result, error)
	Progress() capture.Progress
	Close() error
}

// samplers has the constructor for each of api.ProfileTypes.
var samplers = map[string]func(capture.Options) (sampler, error){
	"cpu":       func(o capture.Options) (sampler, error) { return capture.NewCPU(o) },
	"offcpu":    func(o capture.Options) (sampler, error) { return capture.NewOffCPU(o) },
	"faults":    func(o capture.Options) (sampler, error) { return capture.NewFaults(o) },
	"heap":      func(o capture.Options) (sampler, error) { return capture.NewHeap(o) },
	"allocs":    func(o capture.Options) (sampler, error) { return capture.NewAllocs(o) },
	"mutex":     func(o capture.Options) (sampler, error) { return capture.NewMutex(o) },
	"block":     func(o capture.Options) (sampler, error) { return capture.NewBlock(o) },
	"goroutine": func(o capture.Options) (sampler, error) { return capture.NewGoroutines(o) },
	"wall":      func(o capture.Options) (sampler, error) { return capture.NewWall(o) },
}
