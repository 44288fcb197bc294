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

// Wall reads all goroutines of a container's Go programs repeatedly, and records what each does or waits for.
type Wall struct {
	options   run.Options
	Processes *readers
	// Removed is called with a process's PID in our namespace when its goroutines cannot be read
	// any more. If it is nil, processes that start during the capture are read, too; otherwise the
	// caller profiles them.
	Removed func(pid int)

	mu       sync.Mutex // for what is below, while readUntil runs
	begin    time.Time
	stacks   stacks
	seen     map[uint64]knownGoroutine
	running  runningStacks
	late     []lateGoroutine
	readings int
	cut      int           // readings of a program that ended early
	reading  time.Duration // total time of all readings
	looked   time.Time     // when new processes were last looked for
	Kept     atomic.Uint64
}

// knownGoroutine is a goroutine that need not be read again until it runs.
type knownGoroutine struct {
	fingerprint uint64
	entry       *stack.Entry // nil if the stack table is full
}

// lateGoroutine is a goroutine that was running when it was read, and whose thread has not been sampled since.
type lateGoroutine struct {
	*runningGoroutine
	amount stack.Amount
}

const (
	WallFrequency = 19 // readings per second
	// readingShare bounds the cost of reading to a tenth of a CPU. Very many goroutines are read less often.
	readingShare = 10
	// wallPatience is how long a reading waits for samples of threads. A thread that gets no CPU in
	// that time does not move until it gets one; its sample is then collected by the next reading.
	wallPatience = 2 * time.Millisecond
	maxSeen      = 1 << 18
	// Bounds on the time for one reading, of all programs and of each. 100,000 goroutines take 200
	// ms, but a profiler that gets little CPU may need seconds now and then. What was read by then
	// counts. A program whose readings end early maxCut times in a row is not read again.
	maxReading      = 6 * time.Second
	maxReadingOfOne = 4 * time.Second
	maxCut          = 3
	// lookEvery is the time between two searches for new processes.
	lookEvery = 2 * time.Second
)

// NewWall finds the Go programs of a container. Its errors are those of NewGoroutines.
func NewWall(o run.Options) (*Wall, error) {
	processes, err := openReaders(o, true)
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
		w.read(context.WithoutCancel(ctx), now.Sub(last))
		last = now
		ended = ended || ctx.Err() != nil && time.Since(now) > time.Second // a slow reading was the last
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
func (w *Wall) read(ctx context.Context, each time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, maxReading)
	defer cancel()
	began := time.Now()
	w.addLate()
	if w.Removed == nil && began.Sub(w.looked) > lookEvery {
		w.looked = began
		w.Processes.lookAgain(w.options)
	}
	for _, p := range slices.Clone(w.Processes.all) {
		if ctx.Err() != nil {
			break // the others are read the next time
		}
		w.readOrRemove(ctx, p, stack.Amount{Count: 1, Value: each.Nanoseconds()})
	}
	w.readings++
	w.reading += time.Since(began)
}

// readOrRemove reads the goroutines of a program. It removes the program if it cannot be read, or if reading takes too
// long again and again; if it does once, the others are read first the next time.
func (w *Wall) readOrRemove(ctx context.Context, p *reader, one stack.Amount) {
	err := w.readProcess(ctx, p, one)
	if err == nil {
		p.cut = 0
		return
	}
	if errors.Is(err, golang.ErrBudget) {
		w.cut++
		if p.cut++; p.cut < maxCut {
			w.Processes.moveToEnd(p)
			return
		}
	}
	w.Processes.remove(p, fmt.Errorf("until %v: %w", time.Since(w.begin).Round(time.Second/10), err))
	if w.Removed != nil {
		w.Removed(p.generation.Process.PID)
	}
}

func (w *Wall) readProcess(ctx context.Context, p *reader, one stack.Amount) error {
	var running []*golang.Goroutine
	count := func(e *stack.Entry) {
		if e != nil {
			w.stacks.stacks.Add(e, one, 0)
			w.Kept.Add(1)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, maxReadingOfOne)
	defer cancel()
	err := p.goroutines.Each(ctx, func(address, fingerprint uint64) bool {
		k, ok := w.seen[key(p, address)]
		if ok = ok && k.fingerprint == fingerprint; ok {
			if count(k.entry); k.entry != nil {
				w.stacks.stacks.EndCounts[k.entry.End]++
			}
		}
		return ok
	}, func(g *golang.Goroutine) {
		if g.End == golang.NoStack && len(running) < maxRunning {
			running = append(running, clone(g))
			return
		}
		e := w.stacks.entry(p, g)
		count(e)
		if g.End != golang.Torn && g.End != golang.NoStack && len(w.seen) < maxSeen {
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
		w.running.giveUp(w.running.collect([]*runningGoroutine{g.runningGoroutine}, false))
		if e := w.stacks.entry(g.process, g.Goroutine); e != nil {
			w.stacks.stacks.Add(e, g.amount, 0)
			w.Kept.Add(1)
		}
	}
	w.late = nil
}

// key tells the goroutines of several processes apart; addresses have 47 bits.
func key(p *reader, address uint64) uint64 { return uint64(p.generation.ID)<<48 ^ address }

// AddStacks calls add with the stacks that have been read so far.
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
	if w.cut > 0 {
		meta.GoroutineReadingsCut.Add(b.Profile, int64(w.cut))
	}
	describeGoroutines(b, w.Processes, w.stacks.stacks)
	w.running.describe(b)
}

// Close closes all files and perf events.
func (w *Wall) Close() error {
	return errors.Join(w.running.sampler.close(), w.Processes.close())
}
