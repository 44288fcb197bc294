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
	capture Capture // nil until started

	slices sliceMaker
}

func newJob(id string) *job {
	j := &job{id: id, done: make(chan struct{})}
	j.stopped, j.stop = context.WithCancel(context.Background())
	return j
}

// run takes the profile and sets result or err.
func (j *job) run(c Capturer, r api.Request) {
	defer close(j.done)
	defer j.stop()
	res, err := j.takeProfile(c, r)
	j.result, j.finished = res, time.Now()
	if err != nil && !errors.As(err, &j.err) {
		j.err = &api.Error{Status: http.StatusInternalServerError, Reason: api.ReasonInternal, Message: err.Error()}
	}
}

func (j *job) takeProfile(c Capturer, r api.Request) (*result, error) {
	p, err := recoverPanics(func() (*profile.Profile, error) {
		capture, err := c.Start(r)
		if err != nil {
			return nil, err
		}
		j.mu.Lock()
		j.capture = capture
		j.mu.Unlock()
		ctx, cancel := context.WithTimeout(j.stopped, r.Duration)
		defer cancel()
		return capture.Run(ctx)
	})
	if err != nil {
		return nil, err
	}
	return encode(p)
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
func recoverPanics(f func() (*profile.Profile, error)) (p *profile.Profile, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = nil, fmt.Errorf("the profiler has a bug: %v", v)
		}
	}()
	return f()
}
