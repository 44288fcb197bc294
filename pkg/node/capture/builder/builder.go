//go:build linux

package builder

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/bounded"
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
	out       *bounded.Profile // Profile, with limits
	files     map[*profile.Mapping]*proc.File
	mappings  map[mappingKey]*profile.Mapping
	locations map[locationKey]*profile.Location
	runtime   map[runtimeKey]*profile.Location
	runtimes  runtimes.Set
	perfMaps  map[*profile.Mapping]*process.PerfMap
	labelSets map[string]*labels // by process and labels, encoded
	labelKey  []byte
	each      int64 // Kind.ValuePerCount
}

// mappingKey identifies a mapping of one process. A path that is mapped elsewhere has another key, and so has
// another file at the same path: a program that is replaced and executes itself may keep its addresses.
type mappingKey struct {
	pid                int
	start, end, offset uint64
	path               string
	file               *proc.File // nil if it could not be opened
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
	p := &profile.Profile{
		SampleType:        k.Types,
		DefaultSampleType: k.DefaultType,
		PeriodType:        k.PeriodType,
		Period:            k.Period,
		TimeNanos:         begin.UnixNano(),
		DurationNanos:     duration.Nanoseconds(),
	}
	return &Builder{
		Profile:   p,
		out:       bounded.New(p),
		files:     map[*profile.Mapping]*proc.File{},
		mappings:  map[mappingKey]*profile.Mapping{},
		locations: map[locationKey]*profile.Location{},
		runtime:   map[runtimeKey]*profile.Location{},
		runtimes:  k.Runtimes,
		perfMaps:  map[*profile.Mapping]*process.PerfMap{},
		labelSets: map[string]*labels{},
		each:      k.ValuePerCount,
	}
}

// timeUnits is shared by all samples that have times.
var timeUnits = meta.TimeLabel.Units()

// addStack adds a stack with its amount a. If the times of its samples were recorded, it adds one
// sample per time bucket instead; width is the length of a bucket.
func (b *Builder) addStack(e *stack.Entry, a stack.Amount, at []stack.TimeCount, width time.Duration) {
	if len(at) == 0 {
		b.Append(b.NewSample(e), a)
		return
	}
	whole := b.NewSample(e)
	for _, t := range at {
		s := *whole // shares locations and text labels
		s.NumLabel, s.NumUnit = b.labels(e).at(t.Bucket, width), timeUnits
		b.Append(&s, stack.Amount{Count: int64(t.Count), Value: int64(t.Count) * b.each})
	}
}

// Append adds a sample with the given amount.
func (b *Builder) Append(s *profile.Sample, a stack.Amount) {
	b.AppendValues(s, []int64{a.Count, a.Value}[:len(b.Profile.SampleType)])
}

// AppendValues adds a sample with a value of each type of the profile.
func (b *Builder) AppendValues(s *profile.Sample, values []int64) {
	s.Value = values
	b.out.AddSample(s)
}

// NewSample returns a stack's sample without values. It does not add it to the profile. Samples
// with equal labels share the maps of labels, so a caller must clone a map to change it.
func (b *Builder) NewSample(e *stack.Entry) *profile.Sample {
	l := b.labels(e)
	s := &profile.Sample{Label: l.text, NumLabel: l.numbers, Location: make([]*profile.Location, 0, len(e.Kernel)+len(e.User)+1)}
	for i, address := range e.Kernel {
		s.Location = append(s.Location, b.location(b.kernel(), instruction(address, i)))
	}
	end := e.End
	if e.Generation.Mappings == nil && end != stack.NotWalked {
		s.Location = append(s.Location, b.out.Placeholder(ProcessExited))
		end = stack.Complete
	} else {
		for _, f := range e.User.AppendFrames(nil) {
			if f.Kind == record.RuntimeFrame {
				s.Location = append(s.Location, b.runtimeFrame(e.Generation, f))
			} else {
				s.Location = append(s.Location, b.user(e.Generation, f.Address))
			}
		}
	}
	switch end {
	case stack.Running:
		s.Location = append(s.Location, b.out.Placeholder(RunningGoroutine))
	case stack.Torn:
		s.Location = append(s.Location, b.out.Placeholder(TornStack))
	case stack.Truncated:
		s.Location = append(s.Location, b.out.Placeholder(Truncated))
	case stack.NotWalked:
		s.Location = append(s.Location, b.out.Placeholder(StackNotTaken))
	case stack.Broken:
		s.Location = append(s.Location, b.out.Placeholder(BrokenStack))
	}
	if len(s.Location) == 0 {
		s.Location = append(s.Location, b.out.Placeholder("[no stack]"))
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
		return b.location(b.mapping(mappingKey{pid: g.Process.PID, path: process.NoMapping}), address)
	}
	key := mappingKey{g.Process.PID, m.Start, m.End, m.Offset, m.Path, m.File}
	if key.path == "" {
		key.path = process.AnonymousMapping
	}
	in := b.mapping(key)
	if in != nil {
		b.perfMaps[in] = g.PerfMap
	}
	return b.location(in, address)
}

func (b *Builder) kernel() *profile.Mapping {
	// The upper half of the address space is the kernel's on both architectures.
	return b.mapping(mappingKey{start: 1 << 63, end: 1<<64 - 1, path: process.KernelMapping})
}

// mapping returns nil if the profile has too many mappings.
func (b *Builder) mapping(key mappingKey) *profile.Mapping {
	if m := b.mappings[key]; m != nil {
		return m
	}
	added := profile.Mapping{Start: key.start, Limit: key.end, Offset: key.offset, File: key.path}
	if key.file != nil {
		added.BuildID = key.file.BuildID()
	}
	m := b.out.AddMapping(added)
	if m == nil {
		return nil
	}
	if key.file != nil {
		b.files[m] = key.file
	}
	b.mappings[key] = m
	return m
}

// location returns the location of an address in a mapping. m is nil if there are too many
// mappings.
func (b *Builder) location(m *profile.Mapping, address uint64) *profile.Location {
	if m == nil {
		return b.out.Placeholder(bounded.TooManyLocations)
	}
	key := locationKey{m, address}
	if l := b.locations[key]; l != nil {
		return l
	}
	l, ok := b.out.AddLocation(m, address)
	if ok {
		b.locations[key] = l
	}
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
		return b.out.Placeholder(UnknownRuntimeFrame)
	}
	l, ok := b.out.AddLocation(nil, 0)
	if !ok {
		return l
	}
	var lines []profile.Line
	for _, f := range frames {
		fn := b.out.FindOrAddFunction(bounded.Function{Name: f.Name, System: f.Name, File: f.File})
		lines = append(lines, profile.Line{Function: fn, Line: f.Line})
	}
	b.out.AddLines(l, lines)
	b.runtime[key] = l
	return l
}

// Result returns the current profile, or an error if it is not valid. It adds comments about what
// was left out.
func (b *Builder) Result() (*Result, error) {
	b.out.Describe()
	if err := b.Profile.CheckValid(); err != nil {
		return nil, fmt.Errorf("the captured profile is not valid: %w", err)
	}
	return &Result{
		Profile: b.Profile,
		File:    func(m *profile.Mapping) *proc.File { return b.files[m] },
		PerfMap: func(m *profile.Mapping) *proc.File { return b.perfMaps[m].Open() },
	}, nil
}
