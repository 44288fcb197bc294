//go:build linux

package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/pprof/profile"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// Wall samples what a container does and waits for over time: of Go programs all goroutines, of others all threads.
type Wall struct {
	options   Options
	processes *goProcesses // nil if there is no Go program
	threads   *Sampler     // nil if there are only Go programs, or no BPF
	noThreads error        // why there is none

	mu       sync.Mutex // for what is below, while Run runs
	stacks   goStacks
	seen     map[uint64]knownGoroutine
	running  runningStacks
	late     []lateGoroutine
	slicer   slicer
	readings int
	reading  time.Duration // that all readings took
	looked   time.Time     // for processes that have begun
	programs atomic.Int64  // Go processes that are read
	started  atomic.Int64  // Unix time in ns, 0 before Run
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

// NewWall prepares to sample. Its errors are those of NewGoroutines and, where the container has no Go program,
// those of NewCPU. Where BPF is refused, Go programs alone are sampled.
func NewWall(o Options) (*Wall, error) {
	w := &Wall{options: o, stacks: goStacks{stacks: newStackTable()}, seen: map[uint64]knownGoroutine{}}
	var err error
	if w.processes, err = openGoProcesses(o); err != nil && !errors.Is(err, ErrNoGo) {
		return nil, err
	}
	if w.processes != nil && w.processes.others == 0 && len(w.processes.refused) == 0 {
		return w, nil
	}
	w.threads, w.noThreads = newThreadWall(o, func(pid int) bool { return w.processes != nil && w.processes.has(pid) })
	if w.noThreads != nil && w.processes == nil {
		return nil, fmt.Errorf("%w; %w", w.noThreads, err)
	}
	return w, nil
}

func wallKind() kind {
	wall := &profile.ValueType{Type: "time", Unit: "nanoseconds"}
	return kind{
		types:       []*profile.ValueType{{Type: "samples", Unit: "count"}, wall},
		defaultType: wall.Type, periodType: wall, period: time.Second.Nanoseconds() / wallFrequency,
	}
}

// Run samples until ctx is done, which is the normal end and no error, and gives what was captured. It may be called
// once.
func (w *Wall) Run(ctx context.Context) (*Result, error) {
	begin := time.Now()
	if !w.started.CompareAndSwap(0, begin.UnixNano()) {
		return nil, errors.New("a capture runs only once")
	}
	failed := make(chan error, 1)
	go func() {
		var err error
		if w.threads != nil {
			_, err = w.threads.Run(ctx)
		}
		failed <- err
	}()
	w.readUntil(ctx)
	duration := time.Since(begin)
	if err := <-failed; err != nil {
		return nil, err
	}
	b := newProfileBuilder(begin, duration, wallKind())
	err := w.build(b, b.addAll)
	if err != nil {
		return nil, err
	}
	return b.result()
}

// build adds the stacks of both kinds, and says in comments how they came.
func (w *Wall) build(b *profileBuilder, add func(*stackTable)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	add(w.stacks.stacks)
	of := &profileBuilder{profile: &profile.Profile{}}
	if w.threads != nil {
		w.threads.mu.Lock()
		add(w.threads.stacks)
		err := w.threads.describe(of)
		w.threads.mu.Unlock()
		if err != nil {
			return err
		}
	}
	if err := w.describe(b); err != nil {
		return err
	}
	for _, c := range of.profile.Comments {
		switch key, _, _ := strings.Cut(c, ": "); key {
		case "kernel", "samples", "lost samples":
		case "advice":
			b.comment("%s", c)
		default:
			b.comment("threads of other programs: %s", c)
		}
	}
	return nil
}

// readUntil reads the goroutines until ctx is done, and then once more.
func (w *Wall) readUntil(ctx context.Context) {
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
func (w *Wall) read(each time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	began := time.Now()
	w.tellLate()
	if w.processes != nil {
		if w.threads == nil && began.Sub(w.looked) > lookEvery { // else threads tell of processes that have begun since
			w.looked = began
			w.processes.lookAgain(w.options)
		}
		for _, p := range slices.Clone(w.processes.all) {
			if err := w.readProcess(p, amount{1, each.Nanoseconds()}); err != nil {
				w.processes.remove(p, fmt.Errorf("until %v: %w", time.Since(time.Unix(0, w.started.Load())).Round(time.Second/10), err))
				if w.threads != nil { // what it does now is seen by its threads
					w.threads.forget(p.generation.process.PID)
				}
			}
		}
	}
	if w.processes != nil {
		w.programs.Store(int64(len(w.processes.all)))
	}
	w.readings++
	w.reading += time.Since(began)
}

func (w *Wall) readProcess(p *goProcess, one amount) error {
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
func (w *Wall) tellLate() {
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

func (w *Wall) describe(b *profileBuilder) error {
	release, err := kernelRelease()
	if err != nil {
		return err
	}
	p := w.Progress()
	b.comment("samples: %d", p.Samples)
	b.comment("lost samples: %d", w.stacks.stacks.dropped+p.Lost)
	b.comment("kernel: %s", release)
	if w.processes != nil {
		w.processes.goPrograms.describe(b)
		b.comment("readings of all goroutines: %d, %.1f ms each", w.readings, w.reading.Seconds()*1e3/float64(max(w.readings, 1)))
		describeGoroutines(b, w.processes, w.stacks.stacks)
		w.running.describe(b)
	}
	if w.noThreads != nil {
		b.comment("threads of other programs: not sampled, for %v", w.noThreads)
	}
	return nil
}

// Slice is that of Sampler.
func (w *Wall) Slice() (*Result, error) {
	began := w.started.Load()
	if began == 0 {
		return nil, nil
	}
	b := w.slicer.next(time.Unix(0, began), wallKind())
	if err := w.build(b, b.addChanged); err != nil {
		return nil, err
	}
	result, err := b.result()
	if err != nil || w.threads == nil {
		return result, err
	}
	perfMap := result.PerfMap
	result.PerfMap = func(m *pprofMapping) *proc.File {
		w.threads.mu.Lock() // the process may get another one meanwhile
		defer w.threads.mu.Unlock()
		return perfMap(m)
	}
	return result, nil
}

// Progress may be called while Run runs.
func (w *Wall) Progress() Progress {
	p := Progress{Samples: w.kept.Load()}
	if w.threads != nil {
		p = w.threads.Progress()
		p.Samples += w.kept.Load()
	}
	if w.processes != nil {
		p.Processes += int(w.programs.Load())
	}
	if began := w.started.Load(); began != 0 {
		p.Elapsed = time.Since(time.Unix(0, began))
	}
	return p
}

// Close detaches the programs and closes all files; the result's File must not be used after it.
func (w *Wall) Close() error {
	errs := []error{w.running.sampler.close()}
	if w.processes != nil {
		errs = append(errs, w.processes.close())
	}
	if w.threads != nil {
		errs = append(errs, w.threads.Close())
	}
	return errors.Join(errs...)
}
