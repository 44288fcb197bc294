//go:build linux

package capture

import (
	"fmt"
	"maps"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// profileBuilder makes an unsymbolized profile of stacks.
type profileBuilder struct {
	profile   *profile.Profile
	files     map[*profile.Mapping]*proc.File
	mappings  map[mappingKey]*profile.Mapping
	locations map[locationKey]*profile.Location
	named     map[string]*profile.Location
	perfMaps  map[*profile.Mapping]*perfMap
	each      int64 // see kind
}

// mappingKey tells mappings of different processes, and of different times, apart.
type mappingKey struct {
	pid                int
	start, end, offset uint64
	path               string
}

type locationKey struct {
	mapping *profile.Mapping
	address uint64
}

// kind is what the values of a profile are; google/pprof's proto/profile.proto tells what its parts mean.
type kind struct {
	types       []*profile.ValueType
	defaultType string
	periodType  *profile.ValueType
	period      int64
	each        int64 // of the second value, what one of the first makes; 0 if it differs
}

func newProfileBuilder(begin time.Time, duration time.Duration, k kind) *profileBuilder {
	return &profileBuilder{
		profile: &profile.Profile{
			SampleType:        k.types,
			DefaultSampleType: k.defaultType,
			PeriodType:        k.periodType,
			Period:            k.period,
			TimeNanos:         begin.UnixNano(),
			DurationNanos:     duration.Nanoseconds(),
		},
		files:     map[*profile.Mapping]*proc.File{},
		mappings:  map[mappingKey]*profile.Mapping{},
		locations: map[locationKey]*profile.Location{},
		named:     map[string]*profile.Location{},
		perfMaps:  map[*profile.Mapping]*perfMap{},
		each:      k.each,
	}
}

func (b *profileBuilder) comment(format string, args ...any) {
	b.profile.Comments = append(b.profile.Comments, fmt.Sprintf(format, args...))
}

// milliseconds are the unit of the label that tells times.
var milliseconds = map[string][]string{"time": {"milliseconds"}}

// add adds a stack with so much, and when that was if it was kept.
func (b *profileBuilder) add(e *stackEntry, a amount, at []timeCount, width time.Duration) {
	whole := b.sample(e)
	if len(at) == 0 {
		b.append(whole, a)
	}
	for _, t := range at {
		s := *whole // shares all but what differs
		s.NumLabel = maps.Clone(whole.NumLabel)
		s.NumLabel["time"], s.NumUnit = []int64{int64(t.bucket) * width.Milliseconds()}, milliseconds
		b.append(&s, amount{int64(t.count), int64(t.count) * b.each})
	}
}

func (b *profileBuilder) append(s *profile.Sample, a amount) {
	s.Value = []int64{a.count, a.value}[:len(b.profile.SampleType)]
	b.profile.Sample = append(b.profile.Sample, s)
}

// sample makes a stack's sample without its value.
func (b *profileBuilder) sample(e *stackEntry) *profile.Sample {
	s := &profile.Sample{
		Label:    map[string][]string{"process": {e.generation.process.Name}},
		NumLabel: map[string][]int64{"pid": {int64(e.generation.process.NSPID)}},
	}
	for _, l := range e.labels {
		if l.number != 0 {
			s.NumLabel[l.key] = append(s.NumLabel[l.key], l.number)
			continue
		}
		s.Label[l.key] = append(s.Label[l.key], l.value)
	}
	for i, address := range e.kernel {
		s.Location = append(s.Location, b.location(b.kernel(), call(address, i)))
	}
	if e.generation.mappings == nil && e.end != notTaken {
		s.Location = append(s.Location, b.name(ProcessExited))
	} else {
		for _, address := range e.user {
			s.Location = append(s.Location, b.user(e.generation, address))
		}
	}
	switch e.end {
	case running:
		s.Location = append(s.Location, b.name(RunningGoroutine))
	case torn:
		s.Location = append(s.Location, b.name(TornStack))
	case truncated:
		s.Location = append(s.Location, b.name(Truncated))
	case notTaken:
		s.Location = append(s.Location, b.name(StackNotTaken))
	case broken:
		s.Location = append(s.Location, b.name(BrokenStack))
	}
	if len(s.Location) == 0 {
		s.Location = append(s.Location, b.name("[no stack]"))
	}
	return s
}

// call is an address within the instruction that is meant: that of the leaf, and for a return address
// one before it, in the call, as runtime/pprof has it.
func call(address uint64, depth int) uint64 {
	if depth == 0 || address == 0 {
		return address
	}
	return address - 1
}

func (b *profileBuilder) user(g *generation, address uint64) *profile.Location {
	m := g.find(address)
	if m == nil {
		return b.location(b.mapping(mappingKey{pid: g.process.PID, path: "[unmapped]"}, nil), address)
	}
	key := mappingKey{g.process.PID, m.Start, m.End, m.Offset, m.Path}
	if key.path == "" {
		key.path = AnonymousMapping
	}
	in := b.mapping(key, m.file)
	b.perfMaps[in] = g.perfMap
	return b.location(in, address)
}

func (b *profileBuilder) kernel() *profile.Mapping {
	// The kernel's half of the addresses, on both architectures.
	return b.mapping(mappingKey{start: 1 << 63, end: 1<<64 - 1, path: KernelMapping}, nil)
}

func (b *profileBuilder) mapping(key mappingKey, file *proc.File) *profile.Mapping {
	if m := b.mappings[key]; m != nil {
		return m
	}
	m := &profile.Mapping{
		ID: uint64(len(b.profile.Mapping) + 1), Start: key.start, Limit: key.end, Offset: key.offset, File: key.path,
	}
	if file != nil {
		m.BuildID = file.BuildID()
		b.files[m] = file
	}
	b.mappings[key] = m
	b.profile.Mapping = append(b.profile.Mapping, m)
	return m
}

func (b *profileBuilder) location(m *profile.Mapping, address uint64) *profile.Location {
	key := locationKey{m, address}
	if l := b.locations[key]; l != nil {
		return l
	}
	l := &profile.Location{ID: uint64(len(b.profile.Location) + 1), Mapping: m, Address: address}
	b.locations[key] = l
	b.profile.Location = append(b.profile.Location, l)
	return l
}

// name is a location that stands for something unknown: a function without an address.
func (b *profileBuilder) name(name string) *profile.Location {
	if l := b.named[name]; l != nil {
		return l
	}
	fn := &profile.Function{ID: uint64(len(b.profile.Function) + 1), Name: name, SystemName: name}
	b.profile.Function = append(b.profile.Function, fn)
	l := &profile.Location{ID: uint64(len(b.profile.Location) + 1), Line: []profile.Line{{Function: fn}}}
	b.named[name] = l
	b.profile.Location = append(b.profile.Location, l)
	return l
}

// result is the profile as it is now.
func (b *profileBuilder) result() (*Result, error) {
	if err := b.profile.CheckValid(); err != nil {
		return nil, fmt.Errorf("the captured profile is not valid: %w", err)
	}
	return &Result{
		Profile: b.profile,
		File:    func(m *profile.Mapping) *proc.File { return b.files[m] },
		PerfMap: func(m *profile.Mapping) *proc.File { return b.perfMaps[m].open() },
	}, nil
}
