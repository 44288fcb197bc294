package read

import (
	"slices"

	"github.com/google/pprof/profile"
)

// kernelFile is the file name of the kernel's mapping in perf and pprof.
const kernelFile = "[kernel.kallsyms]"

// builder builds a profile from a text form, which has names instead of addresses. Equal names in the same object file share a
// location.
type builder struct {
	p         *profile.Profile
	locations map[place]*profile.Location
	functions map[string]*profile.Function
	mappings  map[string]*profile.Mapping
	stacks    map[string]*profile.Sample
	key       []byte
}

type place struct{ name, file string }

func newBuilder(types ...*profile.ValueType) *builder {
	return &builder{
		p:         &profile.Profile{SampleType: types, DefaultSampleType: types[len(types)-1].Type},
		locations: map[place]*profile.Location{},
		functions: map[string]*profile.Function{},
		mappings:  map[string]*profile.Mapping{},
		stacks:    map[string]*profile.Sample{},
	}
}

// location returns the location of a function in an object file. Either may be "", unknown.
func (b *builder) location(name, file string) *profile.Location {
	at := place{name, file}
	if l := b.locations[at]; l != nil {
		return l
	}
	l := b.newLocation(file)
	if name != "" {
		l.Line = []profile.Line{{Function: b.function(name)}}
	}
	b.locations[at] = l
	return l
}

func (b *builder) newLocation(file string) *profile.Location {
	l := &profile.Location{ID: uint64(len(b.p.Location) + 1), Mapping: b.mapping(file)}
	b.p.Location = append(b.p.Location, l)
	return l
}

func (b *builder) function(name string) *profile.Function {
	f := b.functions[name]
	if f == nil {
		f = &profile.Function{ID: uint64(len(b.functions) + 1), Name: name, SystemName: name}
		b.functions[name] = f
		b.p.Function = append(b.p.Function, f)
	}
	return f
}

func (b *builder) mapping(file string) *profile.Mapping {
	if file == "" {
		return nil
	}
	m := b.mappings[file]
	if m == nil {
		m = &profile.Mapping{ID: uint64(len(b.mappings) + 1), File: file, HasFunctions: true}
		b.mappings[file] = m
		b.p.Mapping = append(b.p.Mapping, m)
	}
	return m
}

// add adds a stack, root first. Equal stacks become one sample.
func (b *builder) add(frames []*profile.Location, value int64) {
	b.key = b.key[:0]
	for _, l := range frames {
		b.key = append(b.key, byte(l.ID), byte(l.ID>>8), byte(l.ID>>16), byte(l.ID>>24))
	}
	if s := b.stacks[string(b.key)]; s != nil && s.Value[0] <= s.Value[0]+value {
		s.Value[0] += value
		return
	}
	slices.Reverse(frames) // in pprof the leaf is first
	s := &profile.Sample{Location: frames, Value: []int64{value}}
	b.stacks[string(b.key)] = s
	b.p.Sample = append(b.p.Sample, s)
}
