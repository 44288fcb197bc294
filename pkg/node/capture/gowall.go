//go:build linux

package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// goroutineWall reads all goroutines of a container's Go programs over and over: what each does and waits for.
type goroutineWall struct {
	options   Options
	processes *goProcesses
	// removed is called with a process's PID in our namespace when its goroutines cannot be read any more. If it is nil,
	// processes that have begun since are looked for; else those are others' business.
	removed func(pid int)

	mu       sync.Mutex // for what is below, while readUntil runs
	begin    time.Time
	stacks   goStacks
	seen     map[uint64]knownGoroutine
	running  runningStacks
	late     []lateGoroutine
	readings int
	reading  time.Duration // that all readings took
	looked   time.Time     // for processes that have begun
	kept     atomic.Uint64
}

// knownGoroutine is one that need not be read again until it runs.
type knownGoroutine struct {
	fingerprint uint64
	entry       *stackEntry // nil if it is not shown
}

// lateGoroutine ran when it was read; its thread has not been sampled since.
type lateGoroutine struct {
	*runningGoroutine
	amount amount
}

const (
	wallFrequency = 19 // readings per second
	// readingShare bounds what reading costs, to a tenth of a CPU: of very many goroutines there are fewer readings.
	readingShare = 10
	// wallPatience is how long a reading waits for samples of threads. Those that have no CPU then stay where they are
	// until they have one, and their goroutines are told by the next reading.
	wallPatience = 2 * time.Millisecond
	maxSeen      = 1 << 19
	// lookEvery is how long a process may have run before it is read.
	lookEvery = 2 * time.Second
)

// newGoroutineWall finds the Go programs of a container. Its errors are those of NewGoroutines.
func newGoroutineWall(o Options) (*goroutineWall, error) {
	processes, err := openGoProcesses(o)
	if err != nil {
		return nil, err
	}
	return &goroutineWall{options: o, processes: processes, stacks: goStacks{stacks: newStackTable()}, seen: map[uint64]knownGoroutine{}}, nil
}

// readsAll reports whether all processes of the container are Go programs that can be read.
func (w *goroutineWall) readsAll() bool {
	return w.processes.others == 0 && len(w.processes.refused) == 0
}

// has reports whether the goroutines of a process are read. It may be called at any time.
func (w *goroutineWall) has(pid int) bool { return w.processes.has(pid) }

// readUntil reads the goroutines until ctx is done, and then once more.
func (w *goroutineWall) readUntil(ctx context.Context) {
	w.begin = time.Now()
	last, pause := time.Now(), time.Second/wallFrequency
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-time.After(time.Until(last.Add(pause))):
		}
		now, used := time.Now(), ownCPUTime()
		w.read(now.Sub(last))
		last = now
		pause = max(time.Second/wallFrequency, readingShare*(ownCPUTime()-used))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tellLate()
}

// ownCPUTime is what this program has used.
func ownCPUTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// read reads all goroutines once; each stands for the time since the last reading.
func (w *goroutineWall) read(each time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	began := time.Now()
	w.tellLate()
	if w.removed == nil && began.Sub(w.looked) > lookEvery {
		w.looked = began
		w.processes.lookAgain(w.options)
	}
	for _, p := range slices.Clone(w.processes.all) {
		if err := w.readProcess(p, amount{1, each.Nanoseconds()}); err != nil {
			w.processes.remove(p, fmt.Errorf("until %v: %w", time.Since(w.begin).Round(time.Second/10), err))
			if w.removed != nil {
				w.removed(p.generation.process.PID)
			}
		}
	}
	w.readings++
	w.reading += time.Since(began)
}

func (w *goroutineWall) readProcess(p *goProcess, one amount) error {
	var running []*golang.Goroutine
	count := func(e *stackEntry) {
		if e != nil {
			w.stacks.stacks.add(e, one, 0)
			w.kept.Add(1)
		}
	}
	err := p.goroutines.Each(func(address, fingerprint uint64) bool {
		k, ok := w.seen[key(p, address)]
		if ok = ok && k.fingerprint == fingerprint; ok {
			if count(k.entry); k.entry != nil {
				w.stacks.stacks.ends[k.entry.end]++
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

// tellLate counts the goroutines that were left by the last reading.
func (w *goroutineWall) tellLate() {
	for _, g := range w.late {
		w.running.missing += len(w.running.look([]*runningGoroutine{g.runningGoroutine}, false))
		if e := w.stacks.entry(g.process, g.Goroutine); e != nil {
			w.stacks.stacks.add(e, g.amount, 0)
			w.kept.Add(1)
		}
	}
	w.late = nil
}

// key tells the goroutines of several processes apart; addresses have 47 bits.
func key(p *goProcess, address uint64) uint64 { return uint64(p.generation.id)<<48 ^ address }

// addStacks calls add with the stacks that were read until now.
func (w *goroutineWall) addStacks(add func(*stackTable)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add(w.stacks.stacks)
}

// dropped is the number of goroutines that were not kept, for there was no room.
func (w *goroutineWall) dropped() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stacks.stacks.dropped
}

// describe says in comments how the readings went.
func (w *goroutineWall) describe(b *profileBuilder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes.goPrograms.describe(b)
	b.comment("readings of all goroutines: %d, %.1f ms each", w.readings, w.reading.Seconds()*1e3/float64(max(w.readings, 1)))
	describeGoroutines(b, w.processes, w.stacks.stacks)
	w.running.describe(b)
}

func (w *goroutineWall) close() error {
	return errors.Join(w.running.sampler.close(), w.processes.close())
}
