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
}

// Start begins a capture.
func (c capturer) Start(r api.Request) (server.Capture, error) {
	if !c.deadline.IsZero() && time.Now().Add(r.Duration).After(c.deadline) {
		return nil, &api.Error{Status: http.StatusConflict, Reason: reasonDeadline, Message: fmt.Sprintf(
			"the profiler exits at %s, before a profile of %v is complete: take a shorter profile or start another profiler",
			c.deadline.UTC().Format(time.RFC3339), r.Duration)}
	}
	s, err := capture.New(r.Type, samplerOptions(c.containerID, r))
	if err != nil {
		return nil, refusal(err)
	}
	return &running{sampler: s, request: r}, nil
}

func samplerOptions(containerID string, r api.Request) capture.Options {
	return capture.Options{
		ContainerID: containerID, PIDs: r.PIDs, Frequency: r.Frequency, Times: !r.NoTimes, Restarts: r.Restarts,
		ByThread: r.By == api.ByThread, ByGoroutine: r.By == api.ByGoroutine,
		EnableMemProfile: r.EnableMemProfile, MemProfileRate: r.MemProfileRate, Freeze: r.Freeze,
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
