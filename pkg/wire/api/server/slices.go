package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/pprof/profile"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// A capture in the making is sent in slices, so that what was sampled is not lost with a profiler that is killed
// with its target. A client asks for the first slice, then for the second and so on; asking for the next says that
// the one before has arrived.
const (
	sliceInterval = time.Second
	// sliceShare bounds what slices cost: making them takes at most one part in so many of the time.
	sliceShare = 4
)

// sliceMaker makes the slices of one capture and keeps the newest until the next one is asked for.
type sliceMaker struct {
	mu     sync.Mutex
	number int // of the newest
	newest *result
	next   time.Time // not before that
}

// slice waits for a capture's slice of that number: nil if sampling has ended before it.
func (j *job) slice(ctx context.Context, number int) (r *result, err error) {
	s := &j.slices
	s.mu.Lock()
	defer s.mu.Unlock()
	if number == s.number && s.newest != nil {
		return s.newest, nil
	}
	if number != s.number+1 {
		return nil, api.BadRequest("slice %d was asked for after slice %d", number, s.number)
	}
	s.newest = nil
	for {
		wait := max(time.Until(s.next), 0)
		if j.started() == nil {
			wait = sliceInterval / 10
		} else if wait == 0 {
			break
		}
		select {
		case <-j.done:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
	began := time.Now()
	p, err := recovered(j.started().Slice)
	if p == nil || err != nil {
		return nil, err
	}
	if r, err = encode(p); err != nil {
		return nil, err
	}
	s.number, s.newest = number, r
	s.next = began.Add(max(sliceInterval, sliceShare*time.Since(began)))
	return r, nil
}

// started is the capture, nil before it has started.
func (j *job) started() Capture {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.capture
}

// recovered calls what reads the target's files: a fault in that must not take the profiler, and with it
// the captures of others, down.
func recovered(call func() (*profile.Profile, error)) (p *profile.Profile, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = nil, fmt.Errorf("the profiler has a bug: %v", v)
		}
	}()
	return call()
}

func (h *Handler) serveSlice(w http.ResponseWriter, req *http.Request) {
	number, err := strconv.Atoi(req.URL.Query().Get("number"))
	if err != nil || number < 1 {
		writeError(w, api.BadRequest("number=%.20q must be a positive number", req.URL.Query().Get("number")))
		return
	}
	j, err := h.await(req)
	if err != nil {
		writeError(w, err)
		return
	}
	r, err := j.slice(req.Context(), number)
	switch {
	case err != nil:
		writeError(w, err)
	case r == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		r.serve(w, req)
	}
}
