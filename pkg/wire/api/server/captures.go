package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

const (
	maxRunning  = 12 // captures at once: one of each type and some more; each takes CPU time of the target's node
	maxFinished = 12 // results kept, which usually have up to 1 MB each
	// maxFinishedBytes bounds the memory for results that no client has fetched. The newest result is kept in any case.
	maxFinishedBytes = 16 << 20
)

// captures holds the captures of a profiler, running and finished.
type captures struct {
	capturer Capturer
	running  sync.WaitGroup // also counts abandoned captures

	mu    sync.Mutex
	byID  map[string]*job
	added chan struct{} // closed and replaced when a capture is added
}

func newCaptures(c Capturer) *captures {
	return &captures{capturer: c, byID: map[string]*job{}, added: make(chan struct{})}
}

// findOrStart returns the capture with the request's ID. It starts one if there is none.
func (c *captures) findOrStart(r api.Request) (*job, error) {
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
			Message: fmt.Sprintf("the profiler already runs %d captures; try again when one has ended", running)}
	}
	j := newJob(r.Capture)
	c.byID[r.Capture] = j
	close(c.added)
	c.added = make(chan struct{})
	c.running.Go(func() {
		j.run(c.capturer, r)
		c.retain(j)
	})
	return j, nil
}

// find returns the capture with the ID, or nil, and a channel that is closed when another capture is added.
func (c *captures) find(id string) (*job, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID[id], c.added
}

// retain keeps the finished capture for a while, and drops the oldest ones if there are too many.
func (c *captures) retain(j *job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var oldest *job
		finished, bytes := 0, 0
		for _, k := range c.byID {
			if !k.isDone() {
				continue
			}
			finished++
			if k.result != nil {
				bytes += len(k.result.data)
			}
			if k != j && (oldest == nil || k.finished.Before(oldest.finished)) {
				oldest = k
			}
		}
		if finished <= maxFinished && bytes <= maxFinishedBytes || oldest == nil {
			break
		}
		delete(c.byID, oldest.id)
	}
	time.AfterFunc(api.UnattendedTime, func() { c.drop(j) })
}

func (c *captures) drop(j *job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID[j.id] == j {
		delete(c.byID, j.id)
	}
}

// unfetched reports whether there are captures, running or finished, whose result no client has received.
func (c *captures) unfetched() (running, finished bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range c.byID {
		running = running || !j.isDone()
		finished = finished || j.isDone() && !j.received.Load()
	}
	return running, finished
}

// markReceived marks all finished captures as received.
func (c *captures) markReceived() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range c.byID {
		if j.isDone() {
			j.received.Store(true)
		}
	}
}

// abandon stops all captures and drops their results.
func (c *captures) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, j := range c.byID {
		j.stop()
		delete(c.byID, id)
	}
}

// shutdown stops all captures and waits until they have ended, or ctx is done.
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
