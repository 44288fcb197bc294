//go:build linux

package profiles

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Memory reads the memory profiles that Go programs keep of themselves. Nothing is loaded, attached or stopped.
type Memory struct {
	run.Lifecycle
	options  run.Options
	allocs   bool // profile what is allocated during the capture; otherwise what is live at its end
	programs *programs

	mu     sync.Mutex // for the programs, while Run runs
	slicer builder.Slicer
	ended  bool
	since  time.Time // of the first reading
	torn   int       // records that changed during every read, at the last reading
}

// NewHeap prepares a profile of what is live in Go programs, as runtime/pprof's "heap". Its errors wrap ErrNoGo,
// proc.ErrNoContainer or golang.ErrMemProfileOff where one of these is the cause.
func NewHeap(o run.Options) (*Memory, error) { return newMemory(o, false) }

// NewAllocs prepares a profile of what Go programs allocate during the capture. Its errors wrap the
// same as those of NewHeap.
func NewAllocs(o run.Options) (*Memory, error) { return newMemory(o, true) }

func newMemory(o run.Options, allocs bool) (*Memory, error) {
	programs, err := openPrograms(o)
	if err != nil {
		return nil, err
	}
	m := &Memory{options: o, allocs: allocs, programs: programs}
	m.Processes.Store(int64(len(programs.all)))
	return m, nil
}

func (m *Memory) kind() builder.Kind {
	objects := func(name string) *profile.ValueType { return &profile.ValueType{Type: name, Unit: "count"} }
	bytes := func(name string) *profile.ValueType { return &profile.ValueType{Type: name, Unit: "bytes"} }
	k := builder.Kind{
		Types:       []*profile.ValueType{objects("alloc_objects"), bytes("alloc_space")},
		DefaultType: "alloc_space", PeriodType: bytes("space"),
	}
	if !m.allocs {
		k.Types = append(k.Types, objects("inuse_objects"), bytes("inuse_space"))
		k.DefaultType = "inuse_space"
	}
	return k
}

// Run reads the profiles. What is live is read at once, unless a program's profile had to be turned
// on; everything else is read when ctx is done. Run may be called once.
func (m *Memory) Run(ctx context.Context) (*builder.Result, error) {
	begin, err := m.Start()
	if err != nil {
		return nil, err
	}
	waits, err := m.readFirst(ctx)
	if err != nil {
		return nil, err
	}
	if waits {
		<-ctx.Done()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	b := builder.New(begin, 0, m.kind())
	if waits {
		b.Profile.DurationNanos = time.Since(begin).Nanoseconds()
	}
	atEnd, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxFinalTime)
	defer cancel()
	err = m.read(atEnd, b, func(p *program) map[uint64]golang.MemCounts { return p.before }, nil)
	for _, p := range m.programs.all { // at once, for the functions are still to be named
		if off := p.switchOff(); off != nil {
			m.programs.left = append(m.programs.left, off)
		}
	}
	if err != nil {
		return nil, errors.Join(append([]error{err}, m.programs.left...)...)
	}
	m.describe(b)
	result, err := b.Result()
	if err == nil {
		result.Instant = !waits
	}
	return result, err
}

// Bounds on the time for reading all programs. A large program takes some 100 ms.
const (
	maxFinalTime = 8 * time.Second // at the end of a profile
	maxSliceTime = 2 * time.Second // the end of the profile waits for a slice
)

// readFirst turns memory profiles on if requested, takes the first reading, and reports whether a second one is needed.
func (m *Memory) readFirst(ctx context.Context) (waits bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	waits = m.allocs
	for _, p := range append([]*program(nil), m.programs.all...) {
		if m.options.EnableMemProfile {
			if p.switched, err = p.EnableMemProfile(m.options.MemProfileRate); err != nil {
				m.programs.drop(p, err)
				continue
			}
			waits = waits || p.switched != nil
		}
		if m.allocs {
			reading, err := m.reading(ctx, p)
			if err != nil {
				m.programs.drop(p, err)
				continue
			}
			p.before = countsOf(reading)
		}
	}
	m.since = time.Now()
	m.Processes.Store(int64(len(m.programs.all)))
	return waits, m.programs.none()
}

func (m *Memory) reading(ctx context.Context, p *program) (reading *golang.MemProfile, err error) {
	if m.allocs {
		reading, err = p.MemTotals(ctx)
	} else {
		reading, err = p.MemProfile(ctx)
	}
	if errors.Is(err, golang.ErrMemProfileOff) {
		return nil, fmt.Errorf("%w: the linker turns that off in programs that cannot write a memory profile, as most without net/http/pprof; "+
			"--enable-memprofile turns it on for the time of the capture, by writing that variable in the program's memory", err)
	}
	return reading, err
}

func countsOf(r *golang.MemProfile) map[uint64]golang.MemCounts {
	counts := make(map[uint64]golang.MemCounts, len(r.Records))
	for _, bucket := range r.Records {
		counts[bucket.ID] = bucket.MemCounts
	}
	return counts
}

// read adds to b what the programs have sampled since an earlier reading of each. It passes the new reading to next.
func (m *Memory) read(ctx context.Context, b *builder.Builder, since func(*program) map[uint64]golang.MemCounts, next func(*program, *golang.MemProfile)) error {
	kept := 0
	m.torn = 0
	for _, p := range append([]*program(nil), m.programs.all...) {
		reading, err := m.reading(ctx, p)
		if err = p.checked(err); err != nil && next == nil && p.last != nil { // what came in slices is not lost
			meta.MissingEnd.Add(b.Profile, fmt.Sprintf("%s: %v", p.describe(), err))
			reading, err = p.last, nil
		}
		if next != nil && errors.Is(err, golang.ErrBudget) {
			continue // perhaps there is time at the next slice, or at the end
		}
		if err != nil {
			m.programs.drop(p, err)
			continue
		}
		m.torn += reading.Torn
		if b.Profile.Period == 0 {
			b.Profile.Period = reading.Rate
		}
		before, changed, stacks := since(p), []golang.MemRecord(nil), [][]uint64(nil)
		for _, bucket := range reading.Records {
			bucket.MemCounts = bucket.Minus(before[bucket.ID])
			if bucket.MemCounts != (golang.MemCounts{}) { // else nothing new, or nothing that is counted yet
				changed, stacks = append(changed, bucket), append(stacks, bucket.PCs)
			}
		}
		p.PrefetchCalls(stacks)
		for _, bucket := range changed {
			m.add(b, p, bucket.PCs, bucket.MemCounts, reading.Rate)
		}
		kept += len(changed)
		if next != nil {
			next(p, reading)
		}
	}
	m.Kept.Store(uint64(kept))
	m.Processes.Store(int64(len(m.programs.all)))
	return m.programs.none()
}

// add adds what was sampled with one stack, as writeHeapProto of runtime/pprof.
func (m *Memory) add(b *builder.Builder, p *program, pcs []uint64, c golang.MemCounts, rate int64) {
	objects, bytes := unsample(c.Allocs, c.AllocBytes, rate)
	values := []int64{objects, bytes}
	if !m.allocs {
		objects, bytes = unsample(c.Allocs-c.Frees, c.AllocBytes-c.FreeBytes, rate)
		values = append(values, objects, bytes)
	}
	s := b.NewSample(&stack.Entry{Generation: p.generation, User: record.NativeStack(p.MemStack(pcs))})
	if c.Allocs > 0 {
		s.NumLabel = maps.Clone(s.NumLabel)
		s.NumLabel[meta.BytesLabel.Name()] = []int64{c.AllocBytes / c.Allocs} // the size of such an object
		s.NumUnit = meta.BytesLabel.Units()
	}
	b.AppendValues(s, values)
}

// unsample estimates what was allocated from what was sampled: an object of a size is sampled with a probability of
// 1-exp(-size/rate) (scaleHeapSample, runtime/pprof/protomem.go).
func unsample(count, size, rate int64) (objects, bytes int64) {
	if count == 0 || size == 0 {
		return 0, 0
	}
	if rate <= 1 {
		return count, size
	}
	scale := 1 / (1 - math.Exp(-float64(size)/float64(count)/float64(rate)))
	return int64(float64(count) * scale), int64(float64(size) * scale)
}

func (m *Memory) describe(b *builder.Builder) {
	m.programs.describe(b)
	meta.MemProfileRate.Add(b.Profile, b.Profile.Period)
	if m.allocs {
		meta.AllocationsSince.Add(b.Profile, m.since)
	}
	for _, p := range m.programs.all {
		if p.switched != nil {
			meta.MemProfileEnabled.Add(b.Profile, fmt.Sprintf("%s, at %s, so nothing allocated before is in it",
				p.describe(), m.since.UTC().Format(time.RFC3339Nano)))
		}
	}
	if m.torn > 0 {
		meta.RecordsChangedOnRead.Add(b.Profile, int64(m.torn))
	}
}

// Slice returns what was sampled since the last slice or since the capture began, while Run runs. It must not be called
// concurrently, nor after Close.
func (m *Memory) Slice() (*builder.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since.IsZero() || m.ended {
		return nil, nil
	}
	b := m.slicer.Next(m.since, m.kind())
	ctx, cancel := context.WithTimeout(context.Background(), maxSliceTime)
	defer cancel()
	err := m.read(ctx, b, func(p *program) map[uint64]golang.MemCounts {
		if p.sliced == nil {
			return p.before
		}
		return p.sliced
	}, func(p *program, reading *golang.MemProfile) { p.sliced, p.last = countsOf(reading), reading })
	if err != nil {
		return nil, err
	}
	m.describe(b)
	return b.Result()
}

// Close turns off what was turned on, and closes all files; the result's File must not be used after it.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.programs.close()
}
