//go:build linux

package builder

import (
	"fmt"
	"maps"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
)

// Builder makes an unsymbolized profile of stacks.
type Builder struct {
	Profile   *profile.Profile
	files     map[*profile.Mapping]*proc.File
	mappings  map[mappingKey]*profile.Mapping
	locations map[locationKey]*profile.Location
	named     map[string]*profile.Location
	functions map[runtimes.Frame]*profile.Function // of runtime frames; their line is 0
	runtime   map[runtimeKey]*profile.Location
	runtimes  runtimes.Set
	perfMaps  map[*profile.Mapping]*process.PerfMap
	each      int64 // see kind
}

// mappingKey tells mappings of different processes, and of different times, apart.
type mappingKey struct {
	pid                int
	start, end, offset uint64
	path               string
}

// runtimeKey identifies a runtime frame of a generation.
type runtimeKey struct {
	generation int
	frame      record.Frame
}

type locationKey struct {
	mapping *profile.Mapping
	address uint64
}

// Kind is what the values of a profile are; google/pprof's proto/profile.proto tells what its parts mean.
type Kind struct {
	Types         []*profile.ValueType
	DefaultType   string
	PeriodType    *profile.ValueType
	Period        int64
	ValuePerCount int64        // of the second value, what one of the first makes; 0 if it differs
	Runtimes      runtimes.Set // which name runtime frames; nil if none are recorded
}

func New(begin time.Time, duration time.Duration, k Kind) *Builder {
	return &Builder{
		Profile: &profile.Profile{
			SampleType:        k.Types,
			DefaultSampleType: k.DefaultType,
			PeriodType:        k.PeriodType,
			Period:            k.Period,
			TimeNanos:         begin.UnixNano(),
			DurationNanos:     duration.Nanoseconds(),
		},
		files:     map[*profile.Mapping]*proc.File{},
		mappings:  map[mappingKey]*profile.Mapping{},
		locations: map[locationKey]*profile.Location{},
		named:     map[string]*profile.Location{},
		functions: map[runtimes.Frame]*profile.Function{},
		runtime:   map[runtimeKey]*profile.Location{},
		runtimes:  k.Runtimes,
		perfMaps:  map[*profile.Mapping]*process.PerfMap{},
		each:      k.ValuePerCount,
	}
}

func (b *Builder) Comment(format string, args ...any) {
	b.Profile.Comments = append(b.Profile.Comments, fmt.Sprintf(format, args...))
}

// milliseconds are the unit of the label that tells times.
var milliseconds = map[string][]string{"time": {"milliseconds"}}

// addStack adds a stack with so much, and when that was if it was kept.
func (b *Builder) addStack(e *stack.Entry, a stack.Amount, at []stack.TimeCount, width time.Duration) {
	whole := b.NewSample(e)
	if len(at) == 0 {
		b.Append(whole, a)
	}
	for _, t := range at {
		s := *whole // shares all but what differs
		s.NumLabel = maps.Clone(whole.NumLabel)
		s.NumLabel["time"], s.NumUnit = []int64{int64(t.Bucket) * width.Milliseconds()}, milliseconds
		b.Append(&s, stack.Amount{Count: int64(t.Count), Value: int64(t.Count) * b.each})
	}
}

func (b *Builder) Append(s *profile.Sample, a stack.Amount) {
	s.Value = []int64{a.Count, a.Value}[:len(b.Profile.SampleType)]
	b.Profile.Sample = append(b.Profile.Sample, s)
}

// NewSample makes a stack's sample without its value.
func (b *Builder) NewSample(e *stack.Entry) *profile.Sample {
	s := &profile.Sample{
		Label:    map[string][]string{"process": {e.Generation.Process.Name}},
		NumLabel: map[string][]int64{"pid": {int64(e.Generation.Process.NSPID)}},
	}
	for _, l := range e.Labels {
		if l.Number != 0 {
			s.NumLabel[l.Key] = append(s.NumLabel[l.Key], l.Number)
			continue
		}
		s.Label[l.Key] = append(s.Label[l.Key], l.Value)
	}
	for i, address := range e.Kernel {
		s.Location = append(s.Location, b.location(b.kernel(), call(address, i)))
	}
	if e.Generation.Mappings == nil && e.End != stack.NotWalked {
		s.Location = append(s.Location, b.name(ProcessExited))
	} else {
		for _, f := range e.User.AppendFrames(nil) {
			if f.Kind == record.RuntimeFrame {
				s.Location = append(s.Location, b.runtimeFrame(e.Generation, f))
			} else {
				s.Location = append(s.Location, b.user(e.Generation, f.Address))
			}
		}
	}
	switch e.End {
	case stack.Running:
		s.Location = append(s.Location, b.name(RunningGoroutine))
	case stack.Torn:
		s.Location = append(s.Location, b.name(TornStack))
	case stack.Truncated:
		s.Location = append(s.Location, b.name(Truncated))
	case stack.NotWalked:
		s.Location = append(s.Location, b.name(StackNotTaken))
	case stack.Broken:
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

func (b *Builder) user(g *process.Generation, address uint64) *profile.Location {
	m := g.FindMapping(address)
	if m == nil {
		return b.location(b.mapping(mappingKey{pid: g.Process.PID, path: "[unmapped]"}, nil), address)
	}
	key := mappingKey{g.Process.PID, m.Start, m.End, m.Offset, m.Path}
	if key.path == "" {
		key.path = process.AnonymousMapping
	}
	in := b.mapping(key, m.File)
	b.perfMaps[in] = g.PerfMap
	return b.location(in, address)
}

func (b *Builder) kernel() *profile.Mapping {
	// The kernel's half of the addresses, on both architectures.
	return b.mapping(mappingKey{start: 1 << 63, end: 1<<64 - 1, path: process.KernelMapping}, nil)
}

func (b *Builder) mapping(key mappingKey, file *proc.File) *profile.Mapping {
	if m := b.mappings[key]; m != nil {
		return m
	}
	m := &profile.Mapping{
		ID: uint64(len(b.Profile.Mapping) + 1), Start: key.start, Limit: key.end, Offset: key.offset, File: key.path,
	}
	if file != nil {
		m.BuildID = file.BuildID()
		b.files[m] = file
	}
	b.mappings[key] = m
	b.Profile.Mapping = append(b.Profile.Mapping, m)
	return m
}

func (b *Builder) location(m *profile.Mapping, address uint64) *profile.Location {
	key := locationKey{m, address}
	if l := b.locations[key]; l != nil {
		return l
	}
	l := &profile.Location{ID: uint64(len(b.Profile.Location) + 1), Mapping: m, Address: address}
	b.locations[key] = l
	b.Profile.Location = append(b.Profile.Location, l)
	return l
}

// name is a location that stands for something unknown: a function without an address.
func (b *Builder) name(name string) *profile.Location {
	if l := b.named[name]; l != nil {
		return l
	}
	fn := &profile.Function{ID: uint64(len(b.Profile.Function) + 1), Name: name, SystemName: name}
	b.Profile.Function = append(b.Profile.Function, fn)
	l := &profile.Location{ID: uint64(len(b.Profile.Location) + 1), Line: []profile.Line{{Function: fn}}}
	b.named[name] = l
	b.Profile.Location = append(b.Profile.Location, l)
	return l
}

// runtimeFrame returns the location of a frame that a language runtime describes, with the functions that it stands for.
func (b *Builder) runtimeFrame(g *process.Generation, f record.Frame) *profile.Location {
	key := runtimeKey{g.ID, f}
	if l := b.runtime[key]; l != nil {
		return l
	}
	frames := b.runtimes.NameFrame(g.Process, f.Payload)
	if frames == nil {
		return b.name(UnknownRuntimeFrame)
	}
	l := &profile.Location{ID: uint64(len(b.Profile.Location) + 1)}
	for _, frame := range frames {
		l.Line = append(l.Line, profile.Line{Function: b.function(frame), Line: frame.Line})
	}
	b.runtime[key] = l
	b.Profile.Location = append(b.Profile.Location, l)
	return l
}

func (b *Builder) function(f runtimes.Frame) *profile.Function {
	f.Line = 0
	if fn := b.functions[f]; fn != nil {
		return fn
	}
	fn := &profile.Function{ID: uint64(len(b.Profile.Function) + 1), Name: f.Name, SystemName: f.Name, Filename: f.File}
	b.functions[f] = fn
	b.Profile.Function = append(b.Profile.Function, fn)
	return fn
}

// Result is the profile as it is now.
func (b *Builder) Result() (*Result, error) {
	if err := b.Profile.CheckValid(); err != nil {
		return nil, fmt.Errorf("the captured profile is not valid: %w", err)
	}
	return &Result{
		Profile: b.Profile,
		File:    func(m *profile.Mapping) *proc.File { return b.files[m] },
		PerfMap: func(m *profile.Mapping) *proc.File { return b.perfMaps[m].Open() },
	}, nil
}
