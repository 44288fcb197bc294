//go:build linux

package profiles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Wall reads all goroutines of a container's Go programs repeatedly: what each does and waits for.
type Wall struct {
	options   run.Options
	Processes *readers
	// Removed is called with a process's PID in our namespace when its goroutines cannot be read any more. If it is nil,
	// processes that have begun since are looked for; else those are others' business.
	Removed func(pid int)

	mu       sync.Mutex // for what is below, while readUntil runs
	begin    time.Time
	stacks   stacks
	seen     map[uint64]knownGoroutine
	running  runningStacks
	late     []lateGoroutine
	readings int
	reading  time.Duration // that all readings took
	looked   time.Time     // for processes that have begun
	Kept     atomic.Uint64
}

// knownGoroutine is one that need not be read again until it runs.
type knownGoroutine struct {
	fingerprint uint64
	entry       *stack.Entry // nil if it is not shown
}

// lateGoroutine ran when it was read; its thread has not been sampled since.
type lateGoroutine struct {
	*runningGoroutine
	amount stack.Amount
}

const (
	WallFrequency = 19 // readings per second
	// readingShare bounds what reading costs, to a tenth of a CPU: of very many goroutines there are fewer readings.
	readingShare = 10
	// wallPatience is how long a reading waits for samples of threads. Those that have no CPU then stay where they are
	// until they have one, and their goroutines are told by the next reading.
	wallPatience = 2 * time.Millisecond
	maxSeen      = 1 << 19
	// lookEvery is how long a process may have run before it is read.
	lookEvery = 2 * time.Second
)

// NewWall finds the Go programs of a container. Its errors are those of NewGoroutines.
func NewWall(o run.Options) (*Wall, error) {
	processes, err := openReaders(o)
	if err != nil {
		return nil, err
	}
	return &Wall{options: o, Processes: processes, stacks: stacks{stacks: stack.NewTable()}, seen: map[uint64]knownGoroutine{}}, nil
}

// ReadsAll reports whether all processes of the container are Go programs that can be read.
func (w *Wall) ReadsAll() bool {
	return w.Processes.others == 0 && len(w.Processes.refused) == 0
}

// Has reports whether the goroutines of a process are read. It may be called at any time.
func (w *Wall) Has(pid int) bool { return w.Processes.has(pid) }

// Run reads the goroutines until ctx is done, and then once more.
func (w *Wall) Run(ctx context.Context) {
	w.begin = time.Now()
	last, pause := time.Now(), time.Second/WallFrequency
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-time.After(time.Until(last.Add(pause))):
		}
		now, used := time.Now(), ownCPUTime()
		w.read(now.Sub(last))
		last = now
		pause = max(time.Second/WallFrequency, readingShare*(ownCPUTime()-used))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addLate()
}

// ownCPUTime returns the CPU time that the profiler has used.
func ownCPUTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// read reads all goroutines once; each stands for the time since the last reading.
func (w *Wall) read(each time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	began := time.Now()
	w.addLate()
	if w.Removed == nil && began.Sub(w.looked) > lookEvery {
		w.looked = began
		w.Processes.lookAgain(w.options)
	}
	for _, p := range slices.Clone(w.Processes.all) {
		if err := w.readProcess(p, stack.Amount{Count: 1, Value: each.Nanoseconds()}); err != nil {
			w.Processes.remove(p, fmt.Errorf("until %v: %w", time.Since(w.begin).Round(time.Second/10), err))
			if w.Removed != nil {
				w.Removed(p.generation.Process.PID)
			}
		}
	}
	w.readings++
	w.reading += time.Since(began)
}

func (w *Wall) readProcess(p *reader, one stack.Amount) error {
	var running []*golang.Goroutine
	count := func(e *stack.Entry) {
		if e != nil {
			w.stacks.stacks.Add(e, one, 0)
			w.Kept.Add(1)
		}
	}
	err := p.goroutines.Each(func(address, fingerprint uint64) bool {
		k, ok := w.seen[key(p, address)]
		if ok = ok && k.fingerprint == fingerprint; ok {
			if count(k.entry); k.entry != nil {
				w.stacks.stacks.EndCounts[k.entry.End]++
			}
		}
		return ok
	}, func(g *golang.Goroutine) {
		if g.End == golang.NoStack {
			running = append(running, clone(g))
			return
		}
		e := w.stacks.entry(p, g)
		count(e)
		if g.End != golang.Torn && len(w.seen) < maxSeen {
			w.seen[key(p, g.Address)] = knownGoroutine{g.Fingerprint, e}
		}
	})
	left := w.running.find(p, running, wallPatience)
	for _, g := range running {
		if !slices.ContainsFunc(left, func(l *runningGoroutine) bool { return l.Goroutine == g }) {
			count(w.stacks.entry(p, g))
		}
	}
	for _, g := range left {
		w.late = append(w.late, lateGoroutine{g, one})
	}
	return p.checked(err)
}

// addLate counts the goroutines that the last reading left without a stack.
func (w *Wall) addLate() {
	for _, g := range w.late {
		w.running.missing += len(w.running.collect([]*runningGoroutine{g.runningGoroutine}, false))
		if e := w.stacks.entry(g.process, g.Goroutine); e != nil {
			w.stacks.stacks.Add(e, g.amount, 0)
			w.Kept.Add(1)
		}
	}
	w.late = nil
}

// key tells the goroutines of several processes apart; addresses have 47 bits.
func key(p *reader, address uint64) uint64 { return uint64(p.generation.ID)<<48 ^ address }

// AddStacks calls add with the stacks that were read until now.
func (w *Wall) AddStacks(add func(*stack.Table)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add(w.stacks.stacks)
}

// Dropped returns the number of goroutines for which the stack table had no room.
func (w *Wall) Dropped() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stacks.stacks.Dropped
}

// Describe adds comments about the programs and the readings.
func (w *Wall) Describe(b *builder.Builder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Processes.programs.describe(b)
	meta.GoroutineReadings.Add(b.Profile, fmt.Sprintf("%d, %.1f ms each", w.readings, w.reading.Seconds()*1e3/float64(max(w.readings, 1))))
	describeGoroutines(b, w.Processes, w.stacks.stacks)
	w.running.describe(b)
}

func (w *Wall) Close() error {
	return errors.Join(w.running.sampler.close(), w.Processes.close())
}
