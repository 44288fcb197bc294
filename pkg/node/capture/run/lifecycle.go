//go:build linux

package run

import (
	"errors"
	"sync/atomic"
	"time"
)

// Lifecycle makes sure that a sampler runs only once, and counts its progress. All methods and counters may be used
// concurrently.
type Lifecycle struct {
	started   atomic.Int64 // Unix time in ns, 0 before Run
	Kept      atomic.Uint64
	Lost      atomic.Uint64
	Processes atomic.Int64
}

// Start marks the beginning of Run and returns its time. A second call returns an error.
func (l *Lifecycle) Start() (time.Time, error) {
	begin := time.Now()
	if !l.started.CompareAndSwap(0, begin.UnixNano()) {
		return begin, errors.New("a capture runs only once")
	}
	return begin, nil
}

// StartTime returns the time at which Run began, and false if it has not.
func (l *Lifecycle) StartTime() (time.Time, bool) {
	ns := l.started.Load()
	return time.Unix(0, ns), ns != 0
}

// Progress returns what has been captured so far. It may be called while Run runs.
func (l *Lifecycle) Progress() Progress {
	p := Progress{Samples: l.Kept.Load(), Lost: l.Lost.Load(), Processes: int(l.Processes.Load())}
	if began, ok := l.StartTime(); ok {
		p.Elapsed = time.Since(began)
	}
	return p
}
