//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/pprof/profile"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
)

// sampler is what the profilers of pkg/node/capture have in common.
type sampler interface {
	Run(context.Context) (*capture.Result, error)
	Slice() (*capture.Result, error)
	Progress() capture.Progress
	Close() error
}

// samplers has one constructor for each of api.ProfileTypes.
var samplers = map[string]func(capture.Options) (sampler, error){
	"cpu":    func(o capture.Options) (sampler, error) { return capture.NewCPU(o) },
	"offcpu": func(o capture.Options) (sampler, error) { return capture.NewOffCPU(o) },
	"faults": func(o capture.Options) (sampler, error) { return capture.NewFaults(o) },
	"heap":   func(o capture.Options) (sampler, error) { return capture.NewHeap(o) },
	"allocs": func(o capture.Options) (sampler, error) { return capture.NewAllocs(o) },
	"mutex":  func(o capture.Options) (sampler, error) { return capture.NewMutex(o) },
	"block":  func(o capture.Options) (sampler, error) { return capture.NewBlock(o) },

	"goroutine": func(o capture.Options) (sampler, error) { return capture.NewGoroutines(o) },
	"wall":      func(o capture.Options) (sampler, error) { return capture.NewWall(o) },
}

// capturer makes the profiles of one container.
type capturer struct {
	containerID string
	deadline    time.Time // of this program; zero if it has none
}

func (c capturer) Start(r api.Request) (server.Capture, error) {
	if !c.deadline.IsZero() && time.Now().Add(r.Duration).After(c.deadline) {
		return nil, &api.Error{Status: http.StatusConflict, Reason: reasonDeadline, Message: fmt.Sprintf(
			"the profiler ends at %s, before a profile of %v would: ask for a shorter one or start another profiler",
			c.deadline.UTC().Format(time.RFC3339), r.Duration)}
	}
	s, err := samplers[r.Type](capture.Options{
		ContainerID: c.containerID, PIDs: r.PIDs, Frequency: r.Frequency, ByThread: r.By == api.ByThread, Restarts: r.Restarts, Times: !r.NoTimes,
		EnableMemProfile: r.EnableMemProfile, MemProfileRate: r.MemProfileRate, ByGoroutine: r.By == api.ByGoroutine, Freeze: r.Freeze,
	})
	if err != nil {
		return nil, refusal(err)
	}
	return &running{sampler: s, request: r}, nil
}

// running is one capture from its first sample to the finished profile.
type running struct {
	sampler     sampler
	request     api.Request
	symbolizing atomic.Bool

	mu      sync.Mutex // held while a slice is made
	sampled bool       // sampling has ended
	slices  symbol.Symbolizer
}

// Run samples and then symbolizes: symbols cost memory and CPU time that the target should not
// lack while it is looked at.
func (r *running) Run(ctx context.Context) (*profile.Profile, error) {
	defer debug.FreeOSMemory() // the pod's limit counts what we hold
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
		return nil, fmt.Errorf("name the functions of the profile: %w", err)
	}
	// DeadlineExceeded is the planned end of the sampling.
	if !result.Instant && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.Comments = append(p.Comments, fmt.Sprintf("%s%s after %v of %v", api.PartialComment, api.Stopped,
			time.Duration(p.DurationNanos).Round(100*time.Millisecond), r.request.Duration))
	}
	return p, nil
}

// Slice names what is new in a slice at once, for this program may be killed at any time.
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
		return nil, fmt.Errorf("name the functions of a slice: %w", err)
	}
	return result.Profile.Compact(), nil // of all the code that was seen only that in this slice
}

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

// Reasons for which a profile cannot be made here, as they go to the client.
const (
	reasonNoBTF        = "no_btf"
	reasonKernelTooOld = "kernel_too_old"
	reasonNotPermitted = "not_permitted"
	reasonNoContainer  = "no_container"
	reasonDeadline     = "deadline"

	reasonNoGo          = "no_go"
	reasonMemProfileOff = "memprofile_off" // EnableMemProfile helps
	reasonNotCollected  = "not_collected"
)

// refusal gives a known error the reason and the status by which a client can decide.
func refusal(err error) error {
	for _, known := range []struct {
		err    error
		status int
		reason string
	}{
		{capture.ErrNoBTF, http.StatusNotImplemented, reasonNoBTF},
		{capture.ErrKernelTooOld, http.StatusNotImplemented, reasonKernelTooOld},
		{capture.ErrNotPermitted, http.StatusForbidden, reasonNotPermitted},
		{proc.ErrNoContainer, http.StatusNotFound, reasonNoContainer},
		{golang.ErrMemProfileOff, http.StatusConflict, reasonMemProfileOff},
		{golang.ErrNotCollected, http.StatusConflict, reasonNotCollected},
		{capture.ErrMemoryRefused, http.StatusForbidden, reasonNotPermitted},
		{capture.ErrNoGo, http.StatusNotFound, reasonNoGo},
	} {
		if errors.Is(err, known.err) {
			return &api.Error{Status: known.status, Reason: known.reason, Message: err.Error()}
		}
	}
	return err
}

func nodeVersion() (api.Version, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return api.Version{}, fmt.Errorf("ask for the kernel's version: %w", err)
	}
	return api.Version{
		Version: version.Version, Kernel: unix.ByteSliceToString(u.Release[:]), Arch: runtime.GOARCH,
	}, nil
}
