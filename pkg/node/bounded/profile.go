package bounded

import (
	"math"

	"github.com/google/pprof/profile"
)

// Profile is a profile with limits. What is beyond a limit is replaced and counted.
type Profile struct {
	*profile.Profile
	functions map[functionKey]*profile.Function
	buckets   map[string]*profile.Location // replace what is beyond the limits, by name
	texts     map[string]string            // as they are written, by what they were
	textBytes int                          // of texts
	lines     int                          // of all locations
	frames    int                          // of all samples
	otherwise *profile.Sample              // the sum of samples beyond the limit; nil if there are none
	leftOut   counts
}

// functionKey identifies a function. Several functions may have the same demangled name.
type functionKey struct {
	system, file string
	start        int64
}

// New returns p with limits. What p already has counts towards them.
func New(p *profile.Profile) *Profile {
	b := &Profile{
		Profile:   p,
		functions: map[functionKey]*profile.Function{},
		buckets:   map[string]*profile.Location{},
		texts:     map[string]string{},
		frames:    countFrames(p.Sample),
	}
	for _, m := range p.Mapping {
		b.text(m.File)
	}
	for _, f := range p.Function {
		b.functions[functionKey{f.SystemName, f.Filename, f.StartLine}] = f
		b.text(f.Name)
		b.text(f.SystemName)
		b.text(f.Filename)
	}
	for _, l := range p.Location {
		b.lines += len(l.Line)
	}
	return b
}

func countFrames(samples []*profile.Sample) int {
	frames := 0
	for _, s := range samples {
		frames += len(s.Location)
	}
	return frames
}

// Reset removes the samples and comments. Mappings, locations and functions stay. So do the counts of
// what was left out: Describe describes all samples, also those before a Reset.
func (p *Profile) Reset() {
	p.Sample, p.Comments, p.frames, p.otherwise = nil, nil, 0, nil
}

// AddMapping adds a copy of m with a new ID. It returns nil if there are too many mappings.
func (p *Profile) AddMapping(m profile.Mapping) *profile.Mapping {
	file, ok := p.text(m.File)
	if !ok || len(p.Mapping) >= maxMappings {
		p.leftOut.mappings++
		return nil
	}
	m.ID, m.File, m.BuildID = uint64(len(p.Mapping)+1), file, p.Text(m.BuildID)
	p.Mapping = append(p.Mapping, &m)
	return &m
}

// AddLocation adds a location without lines, and reports whether there was room. Otherwise it
// returns the location that replaces those beyond the limit.
func (p *Profile) AddLocation(m *profile.Mapping, address uint64) (l *profile.Location, ok bool) {
	if len(p.Location) >= maxLocations {
		p.leftOut.frames++
		return p.Placeholder(TooManyLocations), false
	}
	l = &profile.Location{ID: uint64(len(p.Location) + 1), Mapping: m, Address: address}
	p.Location = append(p.Location, l)
	return l, true
}

// Placeholder returns the location, without an address, of a function that replaces others. The
// name must be a constant, because placeholders do not count towards the limits.
func (p *Profile) Placeholder(name string) *profile.Location {
	l := p.buckets[name]
	if l == nil {
		l = &profile.Location{ID: uint64(len(p.Location) + 1), Line: []profile.Line{{Function: p.placeholderFunction(name)}}}
		p.buckets[name] = l
		p.Location = append(p.Location, l)
	}
	return l
}

func (p *Profile) placeholderFunction(name string) *profile.Function {
	key := functionKey{system: name}
	if p.functions[key] == nil {
		p.functions[key] = p.appendFunction(&profile.Function{Name: name, SystemName: name})
	}
	return p.functions[key]
}

func (p *Profile) appendFunction(f *profile.Function) *profile.Function {
	f.ID = uint64(len(p.Function) + 1)
	p.Function = append(p.Function, f)
	return f
}

// Function is a function as it is found in the target.
type Function struct {
	Name, System, File string // System is the linker's name
	Start              int64  // line of the declaration
}

// FindOrAddFunction returns the profile's function for f. If there are too many, it returns the
// function that replaces those beyond the limit.
func (p *Profile) FindOrAddFunction(f Function) *profile.Function {
	key := functionKey{f.System, f.File, f.Start}
	if known := p.functions[key]; known != nil {
		return known
	}
	system, ok := p.text(f.System)
	if !ok || len(p.Function) >= maxFunctions {
		p.leftOut.functions++
		return p.placeholderFunction(TooManyFunctions)
	}
	name, ok := p.text(f.Name)
	if !ok {
		name = system
	}
	file, _ := p.text(f.File)
	// The cleaned texts are the key: several long names may have become one.
	key.system, key.file = system, file
	if p.functions[key] == nil {
		p.functions[key] = p.appendFunction(&profile.Function{Name: name, SystemName: system, Filename: file, StartLine: f.Start})
	}
	return p.functions[key]
}

// AddLines adds the lines of a location, of which the last one is the function that the others are
// inlined into. Only that one is added if there are too many.
func (p *Profile) AddLines(l *profile.Location, lines []profile.Line) {
	if p.lines+len(lines) > maxLines && len(lines) > 1 {
		p.leftOut.inlined += int64(len(lines) - 1)
		lines = lines[len(lines)-1:]
	}
	p.lines += len(lines)
	l.Line = append(l.Line, lines...)
}

// AddSample adds a sample. If there are too many, its values are added to a sample that has no
// labels and a placeholder as its stack.
func (p *Profile) AddSample(s *profile.Sample) {
	if len(p.Sample) < maxSamples && p.frames+len(s.Location) <= maxFrames {
		p.frames += len(s.Location)
		p.Sample = append(p.Sample, s)
		return
	}
	p.leftOut.stacks++
	if p.otherwise == nil {
		p.otherwise = &profile.Sample{
			Location: []*profile.Location{p.Placeholder(TooManyStacks)}, Value: make([]int64, len(s.Value)),
		}
		p.Sample = append(p.Sample, p.otherwise)
	}
	for i, v := range s.Value {
		p.otherwise.Value[i] = addSaturated(p.otherwise.Value[i], v)
	}
}

// addSaturated returns a+b, or the nearest number if that overflows.
func addSaturated(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}
