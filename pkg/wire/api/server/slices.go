package server

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/slice"
)

// A running capture is also sent in slices, so that its samples are not lost if the profiler is killed together with its target.
// A client requests the slices 1, 2, … in this order. The request for a slice confirms that the one before has arrived.
const (
	sliceInterval = tick
	// sliceShare bounds the cost of slices. After one that took the time t, the next is made at the
	// last tick within sliceShare*t, or else at the next tick. So they take a quarter of the time,
	// and less than half of it if t is below half a second.
	sliceShare = 4
	// beforeEnd is the last time of a capture in which no slice is made, because the whole profile follows. Making
	// a slice takes some 0.1 s, for which the profile would have to wait.
	beforeEnd = sliceInterval / 2
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
		wait := sliceInterval / 10
		if j.startedCapture() != nil {
			if s.next.IsZero() {
				s.next = j.tickAfter(time.Now())
			}
			if wait = time.Until(s.next); j.endsBy(s.next.Add(beforeEnd)) {
				wait = sliceInterval
			} else if wait <= 0 {
				break
			}
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
	x, err := recoverPanics(j.startedCapture().Slice)
	if x == nil || err != nil {
		return nil, err
	}
	data, err := slice.Encode(x)
	if err != nil {
		return nil, err
	}
	s.number, s.newest = number, &result{data: data, digest: sha256.Sum256(data)}
	s.next = j.tickAfter(began.Add(max(0, sliceShare*time.Since(began)-sliceInterval)))
	return s.newest, nil
}
