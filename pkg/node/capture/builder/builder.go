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
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Builder builds an unsymbolized profile from stacks.
type Builder struct {
	Profile   *profile.Profile
	files     map[*profile.Mapping]*proc.File
	mappings  map[mappingKey]*profile.Mapping
	locations map[locationKey]*profile.Location
	named     map[string]*profile.Location
	functions map[runtimes.Frame]*profile.Function // functions of runtime frames, by frame with line 0
	runtime   map[runtimeKey]*profile.Location
	runtimes  runtimes.Set
	perfMaps  map[*profile.Mapping]*process.PerfMap
	each      int64 // Kind.ValuePerCount
}

// mappingKey identifies a mapping of one process. A path that is remapped elsewhere has another key.
type mappingKey struct {
	pid                int
	start, end, offset uint64
	path               string
}

// runtimeKey identifies a runtime frame of a process generation.
type runtimeKey struct {
	generation int
	frame      record.Frame
}

type locationKey struct {
	mapping *profile.Mapping
	address uint64
}

// Kind describes the values of a profile. The fields of the same name are defined in google/pprof's
// proto/profile.proto.
type Kind struct {
	Types         []*profile.ValueType
	DefaultType   string
	PeriodType    *profile.ValueType
	Period        int64
	ValuePerCount int64        // second value of a sample whose first value is 1; 0 if it is not constant
	Runtimes      runtimes.Set // name the runtime frames; nil if none are recorded
}

// New returns a Builder of an empty profile with the given start and duration.
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

// timeUnits is shared by all samples that have times.
var timeUnits = meta.TimeLabel.Units()

// addStack adds a stack with its amount a. If the times of its samples were recorded, it adds one sample
// per time bucket instead; width is the length of a bucket.
func (b *Builder) addStack(e *stack.Entry, a stack.Amount, at []stack.TimeCount, width time.Duration) {
	whole := b.NewSample(e)
	if len(at) == 0 {
		b.Append(whole, a)
	}
	for _, t := range at {
		s := *whole // shares locations and string labels
		s.NumLabel = maps.Clone(whole.NumLabel)
		s.NumLabel[meta.TimeLabel.Name()], s.NumUnit = []int64{int64(t.Bucket) * width.Milliseconds()}, timeUnits
		b.Append(&s, stack.Amount{Count: int64(t.Count), Value: int64(t.Count) * b.each})
	}
}

// Append adds a sample with the given amount.
func (b *Builder) Append(s *profile.Sample, a stack.Amount) {
	s.Value = []int64{a.Count, a.Value}[:len(b.Profile.SampleType)]
	b.Profile.Sample = append(b.Profile.Sample, s)
}

// NewSample returns a stack's sample without values. It does not add it to the profile.
func (b *Builder) NewSample(e *stack.Entry) *profile.Sample {
	s := &profile.Sample{
		Label:    map[string][]string{meta.ProcessLabel.Name(): {e.Generation.Process.Name}},
		NumLabel: map[string][]int64{meta.PIDLabel.Name(): {int64(e.Generation.Process.NSPID)}},
	}
	for _, l := range e.Labels {
		if l.Number != 0 {
			s.NumLabel[l.Key] = append(s.NumLabel[l.Key], l.Number)
			continue
		}
		s.Label[l.Key] = append(s.Label[l.Key], l.Value)
	}
	for i, address := range e.Kernel {
		s.Location = append(s.Location, b.location(b.kernel(), instruction(address, i)))
	}
	if e.Generation.Mappings == nil && e.End != stack.NotWalked {
		s.Location = append(s.Location, b.placeholder(ProcessExited))
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
		s.Location = append(s.Location, b.placeholder(RunningGoroutine))
	case stack.Torn:
		s.Location = append(s.Location, b.placeholder(TornStack))
	case stack.Truncated:
		s.Location = append(s.Location, b.placeholder(Truncated))
	case stack.NotWalked:
		s.Location = append(s.Location, b.placeholder(StackNotTaken))
	case stack.Broken:
		s.Location = append(s.Location, b.placeholder(BrokenStack))
	}
	if len(s.Location) == 0 {
		s.Location = append(s.Location, b.placeholder("[no stack]"))
	}
	return s
}

// instruction returns an address within the executing instruction: the leaf's own address, or for a
// return address the byte before it, which is in the call. runtime/pprof does the same.
func instruction(address uint64, depth int) uint64 {
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
	// The upper half of the address space is the kernel's on both architectures.
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

// placeholder returns the location, without an address, of a function that replaces unknown frames.
func (b *Builder) placeholder(name string) *profile.Location {
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

// runtimeFrame returns the location of a frame that a language runtime describes. Its lines are the
// function and what is inlined into it.
func (b *Builder) runtimeFrame(g *process.Generation, f record.Frame) *profile.Location {
	key := runtimeKey{g.ID, f}
	if l := b.runtime[key]; l != nil {
		return l
	}
	frames := b.runtimes.NameFrame(g.Process, f.Payload)
	if frames == nil {
		return b.placeholder(UnknownRuntimeFrame)
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

// Result returns the current profile, or an error if it is not valid.
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
