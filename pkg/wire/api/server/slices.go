package server

import (
	"context"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// A running capture is also sent in slices, so that its samples are not lost if the profiler is killed together with its target.
// A client requests the slices 1, 2, … in this order. The request for a slice confirms that the one before has arrived.
const (
	sliceInterval = time.Second
	// sliceShare bounds the cost of slices: making them takes at most 1/sliceShare of the time.
	sliceShare = 4
)

// sliceMaker makes the slices of one capture. It keeps the newest until the next one is requested.
type sliceMaker struct {
	mu     sync.Mutex
	number int // of the newest slice
	newest *result
	next   time.Time // when the next slice may be made
}

// slice waits for the capture's slice with the number and returns it, or nil if sampling has ended.
func (j *job) slice(ctx context.Context, number int) (r *result, err error) {
	s := &j.slices
	s.mu.Lock()
	defer s.mu.Unlock()
	if number == s.number && s.newest != nil {
		return s.newest, nil
	}
	if number != s.number+1 {
		return nil, api.BadRequest("slice %d cannot follow slice %d", number, s.number)
	}
	s.newest = nil
	for {
		wait := max(time.Until(s.next), 0)
		if j.startedCapture() == nil {
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
	p, err := recoverPanics(j.startedCapture().Slice)
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
