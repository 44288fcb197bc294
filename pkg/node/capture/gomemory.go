//go:build linux

package capture

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// GoMemory reads the memory profiles that Go programs keep of themselves. Nothing is loaded, attached or stopped.
type GoMemory struct {
	lifecycle
	options  Options
	allocs   bool // what is allocated during the capture; else what is live at its end
	programs *goPrograms

	mu     sync.Mutex // for the programs, while Run runs
	slicer slicer
	ended  bool
	since  time.Time // when the first reading was
	torn   int
}

// NewHeap prepares a profile of what is live in Go programs, as runtime/pprof's "heap". Its errors wrap ErrNoGo,
// proc.ErrNoContainer or golang.ErrMemProfileOff where one of these is the cause.
func NewHeap(o Options) (*GoMemory, error) { return newGoMemory(o, false) }

// NewAllocs prepares a profile of what Go programs allocate during the capture. Its errors are as those of NewHeap.
func NewAllocs(o Options) (*GoMemory, error) { return newGoMemory(o, true) }

func newGoMemory(o Options, allocs bool) (*GoMemory, error) {
	programs, err := openGoPrograms(o)
	if err != nil {
		return nil, err
	}
	m := &GoMemory{options: o, allocs: allocs, programs: programs}
	m.processes.Store(int64(len(programs.programs)))
	return m, nil
}

func (m *GoMemory) kind() kind {
	objects := func(name string) *profile.ValueType { return &profile.ValueType{Type: name, Unit: "count"} }
	bytes := func(name string) *profile.ValueType { return &profile.ValueType{Type: name, Unit: "bytes"} }
	k := kind{
		types:       []*profile.ValueType{objects("alloc_objects"), bytes("alloc_space")},
		defaultType: "alloc_space", periodType: bytes("space"),
	}
	if !m.allocs {
		k.types = append(k.types, objects("inuse_objects"), bytes("inuse_space"))
		k.defaultType = "inuse_space"
	}
	return k
}

// Run reads the profiles: those of what is live at once, unless they had to be turned on, others when ctx is done. It may
// be called once.
func (m *GoMemory) Run(ctx context.Context) (*Result, error) {
	begin, err := m.start()
	if err != nil {
		return nil, err
	}
	waits, err := m.readFirst()
	if err != nil {
		return nil, err
	}
	if waits {
		<-ctx.Done()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	b := newProfileBuilder(begin, 0, m.kind())
	if waits {
		b.profile.DurationNanos = time.Since(begin).Nanoseconds()
	}
	err = m.read(b, func(p *goProgram) map[uint64]golang.MemCounts { return p.before }, nil)
	for _, p := range m.programs.programs { // at once, for the functions are still to be named
		if off := p.switchOff(); off != nil {
			m.programs.left = append(m.programs.left, off)
		}
	}
	if err != nil {
		return nil, errors.Join(append([]error{err}, m.programs.left...)...)
	}
	m.describe(b)
	result, err := b.result()
	if err == nil {
		result.Instant = !waits
	}
	return result, err
}

// readFirst turns profiles on where that is wanted, takes the first reading, and tells whether there is to be another.
func (m *GoMemory) readFirst() (waits bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	waits = m.allocs
	for _, p := range append([]*goProgram(nil), m.programs.programs...) {
		if m.options.EnableMemProfile {
			if p.switched, err = p.EnableMemProfile(m.options.MemProfileRate); err != nil {
				m.programs.drop(p, err)
				continue
			}
			waits = waits || p.switched != nil
		}
		if m.allocs {
			reading, err := m.reading(p)
			if err != nil {
				m.programs.drop(p, err)
				continue
			}
			p.before = countsOf(reading)
		}
	}
	m.since = time.Now()
	m.processes.Store(int64(len(m.programs.programs)))
	return waits, m.programs.none()
}

func (m *GoMemory) reading(p *goProgram) (reading *golang.MemProfile, err error) {
	if m.allocs {
		reading, err = p.MemTotals()
	} else {
		reading, err = p.MemProfile()
	}
	if errors.Is(err, golang.ErrMemProfileOff) {
		return nil, fmt.Errorf("%w: the linker turns that off in programs that cannot write a memory profile, as most without net/http/pprof; "+
			"--enable-memprofile turns it on for the time of the capture, by writing that variable in the program's memory", err)
	}
	return reading, err
}

func countsOf(r *golang.MemProfile) map[uint64]golang.MemCounts {
	counts := make(map[uint64]golang.MemCounts, len(r.Records))
	for _, record := range r.Records {
		counts[record.ID] = record.MemCounts
	}
	return counts
}

// read adds to b what the programs have sampled since an earlier reading of each; next is told of this one.
func (m *GoMemory) read(b *profileBuilder, since func(*goProgram) map[uint64]golang.MemCounts, next func(*goProgram, *golang.MemProfile)) error {
	kept := 0
	m.torn = 0
	for _, p := range append([]*goProgram(nil), m.programs.programs...) {
		reading, err := m.reading(p)
		if err = p.checked(err); err != nil && next == nil && p.last != nil { // what came in slices is not lost
			b.comment("process %d (%s): what came after the last slice is missing: %v", p.generation.process.NSPID, p.generation.process.Name, err)
			reading, err = p.last, nil
		}
		if err != nil {
			m.programs.drop(p, err)
			continue
		}
		m.torn += reading.Torn
		if b.profile.Period == 0 {
			b.profile.Period = reading.Rate
		}
		before, changed, stacks := since(p), []golang.MemRecord(nil), [][]uint64(nil)
		for _, record := range reading.Records {
			record.MemCounts = record.Minus(before[record.ID])
			if record.MemCounts != (golang.MemCounts{}) { // else nothing new, or nothing that is counted yet
				changed, stacks = append(changed, record), append(stacks, record.PCs)
			}
		}
		p.LookUp(stacks)
		for _, record := range changed {
			m.add(b, p, record.PCs, record.MemCounts, reading.Rate)
		}
		kept += len(changed)
		if next != nil {
			next(p, reading)
		}
	}
	m.kept.Store(uint64(kept))
	m.processes.Store(int64(len(m.programs.programs)))
	return m.programs.none()
}

// add adds what was sampled with one stack, as writeHeapProto of runtime/pprof.
func (m *GoMemory) add(b *profileBuilder, p *goProgram, pcs []uint64, c golang.MemCounts, rate int64) {
	objects, bytes := unsample(c.Allocs, c.AllocBytes, rate)
	values := []int64{objects, bytes}
	if !m.allocs {
		objects, bytes = unsample(c.Allocs-c.Frees, c.AllocBytes-c.FreeBytes, rate)
		values = append(values, objects, bytes)
	}
	s := b.sample(&stackEntry{generation: p.generation, user: p.MemStack(pcs)})
	s.Value = values
	if c.Allocs > 0 {
		s.NumLabel["bytes"] = []int64{c.AllocBytes / c.Allocs} // the size of such an object
		s.NumUnit = map[string][]string{"bytes": {"bytes"}}
	}
	b.profile.Sample = append(b.profile.Sample, s)
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

func (m *GoMemory) describe(b *profileBuilder) {
	m.programs.describe(b)
	b.comment("memory profile rate: %d bytes", b.profile.Period)
	if m.allocs {
		b.comment("allocations since: %s", m.since.UTC().Format(time.RFC3339Nano))
	}
	for _, p := range m.programs.programs {
		if p.switched != nil {
			b.comment("memory profile turned on by kubectl pprof: process %d (%s), at %s, so nothing allocated before is in it",
				p.generation.process.NSPID, p.generation.process.Name, m.since.UTC().Format(time.RFC3339Nano))
		}
	}
	if m.torn > 0 {
		b.comment("records that changed while they were read: %d", m.torn)
	}
}

// Slice gives what was sampled since the last one, or since the capture began, while Run goes on. It must not be called
// twice at once, nor after Close.
func (m *GoMemory) Slice() (*Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since.IsZero() || m.ended {
		return nil, nil
	}
	s := &m.slicer
	if s.builder == nil {
		s.begin = m.since
		s.builder = newProfileBuilder(s.begin, 0, m.kind())
	}
	now := time.Now()
	p := s.builder.profile
	p.TimeNanos, p.DurationNanos = s.begin.UnixNano(), now.Sub(s.begin).Nanoseconds()
	p.Sample, p.Comments = nil, nil
	s.begin = now
	err := m.read(s.builder, func(p *goProgram) map[uint64]golang.MemCounts {
		if p.sliced == nil {
			return p.before
		}
		return p.sliced
	}, func(p *goProgram, reading *golang.MemProfile) { p.sliced, p.last = countsOf(reading), reading })
	if err != nil {
		return nil, err
	}
	m.describe(s.builder)
	return s.builder.result()
}

// Close turns off what was turned on, and closes all files; the result's File must not be used after it.
func (m *GoMemory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.programs.close()
}
