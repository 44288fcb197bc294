//go:build linux

package proc

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// How long the target's file systems may take. One on FUSE is answered by a program of the target's
// choosing, which may never answer, and no signal or flag makes a system call on it return.
const (
	openTimeout = time.Second
	readTimeout = 10 * time.Second // for all reads of one file together
)

// maxHungCalls bounds the calls that never returned, each of which holds a thread of ours: with so many
// of them nothing of the target is waited for any more.
const maxHungCalls = 16

var hungCalls atomic.Int32

// withTimeout calls what may block for ever, and gives os.ErrDeadlineExceeded when it takes longer than the
// limit. late gets the result that came after that, to release it.
func withTimeout[T any](limit time.Duration, what string, call func() (T, error), late func(T)) (T, error) {
	var none T
	if hungCalls.Load() >= maxHungCalls {
		return none, fmt.Errorf("%s: not tried, for %d calls to the target's file systems have not returned: %w", what, maxHungCalls, os.ErrDeadlineExceeded)
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	var abandoned atomic.Bool // set by whoever comes second
	go func() {
		value, err := call()
		done <- result{value, err}
		if abandoned.Swap(true) {
			hungCalls.Add(-1)
			if err == nil && late != nil {
				late(value)
			}
		}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
	}
	hungCalls.Add(1)
	if abandoned.Swap(true) { // it returned just now
		hungCalls.Add(-1)
		r := <-done
		return r.value, r.err
	}
	return none, fmt.Errorf("%s: no answer within %v: %w", what, limit, os.ErrDeadlineExceeded)
}
