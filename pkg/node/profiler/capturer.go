//go:build linux

package profiler

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
)

// capturer takes the profiles of one container. It implements server.Capturer and server.Commander.
type capturer struct {
	containerID string
	deadline    time.Time // when the profiler exits; zero if it has no deadline
	prepared    *prepared // may be nil
	keep        bool      // prepare for the next request after each
}

// Start begins a capture.
func (c capturer) Start(r api.Request) (server.Capture, error) {
	if !c.deadline.IsZero() && time.Now().Add(r.Duration).After(c.deadline) {
		return nil, &api.Error{Status: http.StatusConflict, Reason: reasonDeadline, Message: fmt.Sprintf(
			"the profiler exits at %s, before a profile of %v is complete: take a shorter profile or start another profiler",
			c.deadline.UTC().Format(time.RFC3339), r.Duration)}
	}
	s, steps := c.takePrepared(r)
	if s == nil {
		o := samplerOptions(c.containerID, r)
		o.Steps = new(api.Steps)
		o.Steps.Begin("load")
		var err error
		if s, err = capture.New(r.Type, o); err != nil {
			return nil, refusal(err)
		}
		steps = o.Steps
	}
	closed := func() {}
	if c.prepared != nil && c.keep {
		closed = func() { c.prepared.add(r, false) }
	}
	return &running{sampler: s, request: r, steps: steps, closed: closed}, nil
}

func (c capturer) takePrepared(r api.Request) (capture.Sampler, *api.Steps) {
	if c.prepared == nil {
		return nil, nil
	}
	return c.prepared.take(r)
}

func samplerOptions(containerID string, r api.Request) capture.Options {
	return capture.Options{
		ContainerID: containerID, PIDs: r.PIDs, Frequency: r.Frequency, Times: !r.NoTimes, Restarts: r.Restarts,
		ByThread: r.By == api.ByThread, ByGoroutine: r.By == api.ByGoroutine,
		EnableMemProfile: r.EnableMemProfile, MemProfileRate: r.MemProfileRate, Freeze: r.Freeze, UnsafeKernel: r.UnsafeKernel,
		WhileSampling: useOneCPU,
	}
}

// Cmdline returns the arguments of the container's first process, separated by zero bytes, as net/http/pprof returns those of
// its own process.
func (c capturer) Cmdline() ([]byte, error) {
	processes, err := proc.InContainer(c.containerID)
	if err != nil {
		return nil, refusal(err)
	}
	first := slices.MinFunc(processes, func(a, b proc.Process) int { return cmp.Compare(a.NSPID, b.NSPID) })
	text, err := first.Cmdline()
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(text, "\x00"), nil
}
