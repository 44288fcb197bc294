package read

import (
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// kernelFile is the file name of the kernel's mapping in perf and pprof.
const kernelFile = "[kernel.kallsyms]"

// builder builds a profile from a text form, which has names instead of addresses. Equal names in the same object file share a
// location.
type builder struct {
	p         *profile.Profile
	locations map[place]*profile.Location
	functions map[string]*profile.Function // by the name in the file
	names     demangler
	mappings  map[string]*profile.Mapping
	stacks    map[string]*profile.Sample
	key       []byte
	budget    limits.Budget
}

// place is the key of a location. Its names are separated by line feeds.
type place struct{ names, file string }

func newBuilder(types ...*profile.ValueType) *builder {
	return &builder{
		p:         &profile.Profile{SampleType: types, DefaultSampleType: types[len(types)-1].Type},
		locations: map[place]*profile.Location{},
		functions: map[string]*profile.Function{},
		mappings:  map[string]*profile.Mapping{},
		stacks:    map[string]*profile.Sample{},
	}
}

// location returns the location of functions in an object file, which may be "", unknown. All functions but the last are inlined
// into the next one. Without names the function is unknown.
func (b *builder) location(file string, names ...string) (*profile.Location, error) {
	at := place{strings.Join(names, "\n"), file}
	if l := b.locations[at]; l != nil {
		return l, nil
	}
	if len(names) > 1 {
		b.budget.String(len(at.names))
	}
	var functions []*profile.Function
	for _, name := range names {
		f, err := b.function(name)
		if err != nil {
			return nil, err
		}
		functions = append(functions, f)
	}
	l, err := b.newLocation(functions, file)
	if err != nil {
		return nil, err
	}
	b.locations[at] = l
	return l, nil
}

// newLocation adds a location with the given functions, inlined ones first.
func (b *builder) newLocation(functions []*profile.Function, file string) (*profile.Location, error) {
	m, err := b.mapping(file)
	if err != nil {
		return nil, err
	}
	b.budget.Locations(1)
	b.budget.Lines(len(functions))
	if err := b.budget.Err(); err != nil {
		return nil, err
	}
	l := &profile.Location{ID: uint64(len(b.p.Location) + 1), Mapping: m}
	for _, f := range functions {
		l.Line = append(l.Line, profile.Line{Function: f})
	}
	b.p.Location = append(b.p.Location, l)
	return l, nil
}

func (b *builder) function(name string) (*profile.Function, error) {
	f := b.functions[name]
	if f == nil {
		b.budget.Functions(1)
		b.budget.String(len(name))
		if err := b.budget.Err(); err != nil {
			return nil, err
		}
		f = &profile.Function{ID: uint64(len(b.functions) + 1), Name: b.names.demangled(name), SystemName: name}
		b.budget.String(len(f.Name))
		b.functions[name] = f
		b.p.Function = append(b.p.Function, f)
	}
	return f, nil
}

func (b *builder) mapping(file string) (*profile.Mapping, error) {
	if file == "" {
		return nil, nil
	}
	m := b.mappings[file]
	if m == nil {
		b.budget.Mappings(1)
		b.budget.String(len(file))
		if err := b.budget.Err(); err != nil {
			return nil, err
		}
		m = &profile.Mapping{ID: uint64(len(b.mappings) + 1), File: file, HasFunctions: true}
		b.mappings[file] = m
		b.p.Mapping = append(b.p.Mapping, m)
	}
	return m, nil
}

// add adds a stack, root first. Equal stacks become one sample, unless a sum would overflow.
func (b *builder) add(frames []*profile.Location, values []int64) error {
	b.key = b.key[:0]
	for _, l := range frames {
		b.key = append(b.key, byte(l.ID), byte(l.ID>>8), byte(l.ID>>16), byte(l.ID>>24))
	}
	if s := b.stacks[string(b.key)]; s != nil && addValues(s.Value, values) {
		return nil
	}
	b.budget.Samples(1)
	b.budget.Numbers(len(values) + len(frames))
	if err := b.budget.Err(); err != nil {
		return err
	}
	slices.Reverse(frames) // in pprof the leaf is first
	s := &profile.Sample{Location: frames, Value: values}
	b.stacks[string(b.key)] = s
	b.p.Sample = append(b.p.Sample, s)
	return nil
}

// addValues adds values to sums and reports whether it did. It does nothing if a sum would overflow.
func addValues(sums, values []int64) bool {
	for i, v := range values {
		if sum := sums[i] + v; (sum > sums[i]) != (v > 0) {
			return false
		}
	}
	for i, v := range values {
		sums[i] += v
	}
	return true
}
