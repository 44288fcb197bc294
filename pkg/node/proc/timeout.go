//go:build linux

package proc

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Timeouts for the target's file systems. On FUSE, a program of the target answers, or never does;
// no signal or flag makes a system call on such a file return.
const (
	openTimeout = time.Second
	readTimeout = 10 * time.Second // for all reads of one file together
)

// maxHungCalls bounds the calls that have timed out and not returned, each of which occupies a
// thread. Once there are that many, withTimeout makes no more calls.
const maxHungCalls = 16

// hungCalls counts the calls that have timed out and not returned yet.
var hungCalls atomic.Int32

// withTimeout makes a call that may block forever. The error wraps os.ErrDeadlineExceeded if the
// call takes longer than limit. If it succeeds after that, late, which may be nil, is called to
// release the result.
func withTimeout[T any](limit time.Duration, what string, call func() (T, error), late func(T)) (T, error) {
	var none T
	if hungCalls.Load() >= maxHungCalls {
		return none, fmt.Errorf("%s: not attempted, because %d earlier calls to the target's file systems have not returned: %w", what, maxHungCalls, os.ErrDeadlineExceeded)
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	var abandoned atomic.Bool // swapped by the timeout and by the return of the call; the second sees it set
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
