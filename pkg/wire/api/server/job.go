package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// job is a capture with its ID, from the request until its result is dropped.
type job struct {
	id      string
	stop    context.CancelFunc // stops sampling
	stopped context.Context    // done when sampling is stopped early
	done    chan struct{}      // closed when result or err is set

	result   *result
	err      *api.Error
	finished time.Time
	received atomic.Bool // a client has confirmed that it needs nothing more, or received err

	mu      sync.Mutex
	capture Capture   // nil until started
	began   time.Time // when the capture was started
	ends    time.Time // when it ends unless it is stopped

	slices sliceMaker
}

func newJob(id string) *job {
	j := &job{id: id, done: make(chan struct{})}
	j.stopped, j.stop = context.WithCancel(context.Background())
	return j
}

// run takes the profile, sets result or err, and then frees the capture.
func (j *job) run(c Capturer, r api.Request) {
	defer func() {
		if capture := j.startedCapture(); capture != nil {
			capture.Close()
		}
	}()
	defer close(j.done)
	defer j.stop()
	res, err := j.takeProfile(c, r)
	j.result, j.finished = res, time.Now()
	if err != nil && !errors.As(err, &j.err) {
		j.err = &api.Error{Status: http.StatusInternalServerError, Reason: api.ReasonInternal, Message: err.Error()}
	}
}

func (j *job) takeProfile(c Capturer, r api.Request) (*result, error) {
	var capture Capture
	p, err := recoverPanics(func() (p *profile.Profile, err error) {
		if capture, err = c.Start(r); err != nil {
			return nil, err
		}
		j.mu.Lock()
		j.capture, j.began = capture, time.Now()
		j.ends = j.began.Add(r.Duration)
		j.mu.Unlock()
		ctx, cancel := context.WithTimeout(j.stopped, r.Duration)
		defer cancel()
		return capture.Run(ctx)
	})
	if err != nil {
		return nil, err
	}
	return encode(p, capture.Steps())
}

// progress returns how far the capture has come.
func (j *job) progress() api.Progress {
	p := api.Progress{State: api.Starting}
	if capture := j.startedCapture(); capture != nil {
		p = capture.Progress()
	}
	if j.isDone() {
		p.State = api.Done
		if j.err != nil {
			p.State, p.Error = api.Failed, j.err.Message
		}
	}
	return p
}

// startedCapture returns the capture, or nil if it has not started yet.
func (j *job) startedCapture() Capture {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.capture
}

// tick is the time between two messages about a running capture. Slices and progress are sent at
// the same time, because each time at which the profiler wakes costs CPU time of the target's node.
const tick = time.Second

// tickAfter returns the first time after t at which messages about the started capture are sent.
func (j *job) tickAfter(t time.Time) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.began.Add((t.Sub(j.began)/tick + 1) * tick)
}

// endsBy reports whether the started capture ends by t.
func (j *job) endsBy(t time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.ends.After(t)
}

func (j *job) isDone() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// recoverPanics returns a panic of a function that reads the target's files as an error, so that it does not end the profiler
// and with it other captures.
func recoverPanics[T any](f func() (*T, error)) (result *T, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = nil, fmt.Errorf("the profiler has a bug: %v", v)
		}
	}()
	return f()
}
