//go:build linux

package capture

import (
	"errors"
	"sync/atomic"
	"time"
)

// lifecycle is what all samplers share: each runs once, and says at any time how far it is. Its counters may be changed
// and read while Run runs.
type lifecycle struct {
	started   atomic.Int64 // Unix time in ns, 0 before Run
	kept      atomic.Uint64
	lost      atomic.Uint64
	processes atomic.Int64
}

// start marks the beginning of Run and returns its time. It fails when it is called again.
func (l *lifecycle) start() (time.Time, error) {
	begin := time.Now()
	if !l.started.CompareAndSwap(0, begin.UnixNano()) {
		return begin, errors.New("a capture runs only once")
	}
	return begin, nil
}

// startTime returns when Run began, and false before that.
func (l *lifecycle) startTime() (time.Time, bool) {
	ns := l.started.Load()
	return time.Unix(0, ns), ns != 0
}

// Progress returns what has been captured so far. It may be called while Run runs.
func (l *lifecycle) Progress() Progress {
	p := Progress{Samples: l.kept.Load(), Lost: l.lost.Load(), Processes: int(l.processes.Load())}
	if began, ok := l.startTime(); ok {
		p.Elapsed = time.Since(began)
	}
	return p
}
