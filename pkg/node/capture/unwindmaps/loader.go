//go:build linux

package unwindmaps

import (
	"context"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// Loader loads the unwind tables of processes in a goroutine of its own. Compiling the table of a large object takes
// a second, and a hostile object may take longer; the ring buffer has to be drained meanwhile.
type Loader struct {
	ranges setter // used only by the goroutine
	cancel context.CancelFunc
	ended  chan struct{}
	added  chan struct{} // has room for one element, which wakes the goroutine

	mu        sync.Mutex
	queue     []uint32       // keys of jobs, in the order of arrival
	jobs      map[uint32]job // by PID in the kernel's first PID namespace
	busy      bool           // a job is being done
	idle      chan struct{}  // closed when there are no jobs
	failed    int
	waitAgain time.Time // when Wait may wait again
}

// setter is Ranges.
type setter interface {
	Set(context.Context, record.ProcessIdentity, int, []process.Mapping) error
}

// job is a process whose tables are to be loaded.
type job struct {
	identity record.ProcessIdentity
	pid      int
	mappings []process.Mapping
}

// maxQueued bounds the processes that wait for their tables. A node starts some hundred processes per second.
const maxQueued = 4096

// NewLoader returns a Loader that sets ranges. The caller must close it.
func NewLoader(ranges setter) *Loader {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Loader{
		ranges: ranges, cancel: cancel, ended: make(chan struct{}), added: make(chan struct{}, 1),
		jobs: map[uint32]job{}, idle: make(chan struct{}),
	}
	close(l.idle)
	go func() {
		defer close(l.ended)
		l.run(ctx)
	}()
	return l
}

// Add requests the tables of a process, as Ranges.Set. It returns at once, and replaces an earlier request for the same
// process that has not been served. The mappings must not change afterwards.
func (l *Loader) Add(p record.ProcessIdentity, pid int, mappings []process.Mapping) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, queued := l.jobs[p.TGID]; !queued {
		if len(l.queue) >= maxQueued {
			l.failed++
			return
		}
		if len(l.queue) == 0 && !l.busy {
			l.idle = make(chan struct{})
		}
		l.queue = append(l.queue, p.TGID)
	}
	l.jobs[p.TGID] = job{p, pid, mappings}
	select {
	case l.added <- struct{}{}:
	default:
	}
}

// run serves requests until ctx is done.
func (l *Loader) run(ctx context.Context) {
	for ctx.Err() == nil {
		next, ok := l.next()
		if !ok {
			select {
			case <-l.added:
			case <-ctx.Done():
			}
			continue
		}
		err := l.ranges.Set(ctx, next.identity, next.pid, next.mappings)
		l.done(err)
	}
}

func (l *Loader) next() (job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return job{}, false
	}
	key := l.queue[0]
	l.queue = l.queue[1:]
	next := l.jobs[key]
	delete(l.jobs, key)
	l.busy = true
	return next, true
}

func (l *Loader) done(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = false
	if err != nil {
		l.failed++
	}
	if len(l.queue) == 0 {
		close(l.idle)
	}
}

// WaitUntil waits until all requests are served, but no longer than the deadline.
func (l *Loader) WaitUntil(deadline time.Time) {
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// Wait waits until all requests are served, but no longer than patience. Stacks that are walked before their tables are
// loaded end early, so a short wait saves some. If Wait has waited recently it returns at once: it takes at most a fifth
// of the time.
func (l *Loader) Wait(patience time.Duration) {
	began := time.Now()
	l.mu.Lock()
	again := l.waitAgain
	l.mu.Unlock()
	if began.Before(again) {
		return
	}
	l.WaitUntil(began.Add(patience))
	now := time.Now()
	l.mu.Lock()
	l.waitAgain = now.Add(4 * now.Sub(began))
	l.mu.Unlock()
}

// Failed returns the number of processes whose tables could not be loaded.
func (l *Loader) Failed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Close ends the goroutine, which finishes the object that it compiles.
func (l *Loader) Close() {
	l.cancel()
	<-l.ended
}
