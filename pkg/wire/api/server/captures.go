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

const (
	maxRunning  = 12 // captures at once, one of each type and some more; each costs the target's node CPU time
	maxFinished = 12 // results kept at once; each is at most some MB
)

// Capturer makes profiles.
type Capturer interface {
	// Start prepares a capture and returns when sampling may begin. An *api.Error goes to the
	// client as it is.
	Start(api.Request) (Capture, error)
}

// Capture is one profile in the making.
type Capture interface {
	// Run samples until ctx is done, which is no error, and makes the profile.
	Run(ctx context.Context) (*profile.Profile, error)
	// Progress may be called at any time, while Run goes on too. The states Done and Failed are
	// not its business.
	Progress() api.Progress
	// Slice makes a profile of what was sampled since the last one, or since the beginning; nil when
	// sampling has ended. It may be called while Run goes on, but not twice at once.
	Slice() (*profile.Profile, error)
}

// captures owns the captures of a profiler, running and finished.
type captures struct {
	capturer Capturer

	running sync.WaitGroup // captures, also those that were abandoned

	mu    sync.Mutex
	byID  map[string]*job
	added chan struct{} // closed and replaced when a capture is added
}

// job is a capture with its ID, from the request to the end of the time its result is kept.
type job struct {
	id      string
	stop    context.CancelFunc // ends sampling
	stopped context.Context    // done when sampling was to end early
	done    chan struct{}      // closed when result or err is set

	result   *result
	err      *api.Error
	finished time.Time
	received atomic.Bool // a client has said that it wants nothing more, or was told why there is no result

	mu      sync.Mutex
	capture Capture // nil until started

	slices sliceMaker
}

func newCaptures(c Capturer) *captures {
	return &captures{capturer: c, byID: map[string]*job{}, added: make(chan struct{})}
}

// join returns the capture with the request's ID, and starts it if there is none.
func (c *captures) join(r api.Request) (*job, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j := c.byID[r.Capture]; j != nil {
		return j, nil
	}
	running := 0
	for _, j := range c.byID {
		if !j.isDone() {
			running++
		}
	}
	if running >= maxRunning {
		return nil, &api.Error{Status: http.StatusTooManyRequests, Reason: api.ReasonBusy,
			Message: fmt.Sprintf("the profiler runs %d captures already; try again when one has ended", running)}
	}
	j := &job{id: r.Capture, done: make(chan struct{})}
	j.stopped, j.stop = context.WithCancel(context.Background())
	c.byID[r.Capture] = j
	close(c.added)
	c.added = make(chan struct{})
	c.running.Go(func() {
		j.run(c.capturer, r)
		c.keep(j)
	})
	return j, nil
}

// find returns the capture with that ID or nil, and a channel that is closed when one is added.
func (c *captures) find(id string) (*job, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID[id], c.added
}

// keep bounds how many finished captures there are and for how long.
func (c *captures) keep(j *job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var oldest *job
		finished := 0
		for _, k := range c.byID {
			if !k.isDone() {
				continue
			}
			finished++
			if k != j && (oldest == nil || k.finished.Before(oldest.finished)) {
				oldest = k
			}
		}
		if finished <= maxFinished || oldest == nil {
			break
		}
		delete(c.byID, oldest.id)
	}
	time.AfterFunc(api.UnattendedTime, func() { c.forget(j) })
}

func (c *captures) forget(j *job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID[j.id] == j {
		delete(c.byID, j.id)
	}
}

// unfetched tells what there is that nobody has received yet.
func (c *captures) unfetched() (running, finished bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range c.byID {
		running = running || !j.isDone()
		finished = finished || j.isDone() && !j.received.Load()
	}
	return running, finished
}

// allReceived says that nobody will come back for what is finished.
func (c *captures) allReceived() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range c.byID {
		if j.isDone() {
			j.received.Store(true)
		}
	}
}

// abandon stops all captures and forgets their results.
func (c *captures) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, j := range c.byID {
		j.stop()
		delete(c.byID, id)
	}
}

// shutdown stops all captures and waits until they have put back what they changed, or ctx is done.
func (c *captures) shutdown(ctx context.Context) {
	c.abandon()
	ended := make(chan struct{})
	go func() {
		c.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

func (j *job) isDone() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

func (j *job) run(c Capturer, r api.Request) {
	defer close(j.done)
	defer j.stop()
	res, err := j.profile(c, r)
	j.result, j.finished = res, time.Now()
	if err != nil && !errors.As(err, &j.err) {
		j.err = &api.Error{Status: http.StatusInternalServerError, Reason: api.ReasonInternal, Message: err.Error()}
	}
}

func (j *job) profile(c Capturer, r api.Request) (*result, error) {
	p, err := recovered(func() (*profile.Profile, error) {
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

func (j *job) progress() api.Progress {
	p := api.Progress{State: api.Starting}
	if capture := j.started(); capture != nil {
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
