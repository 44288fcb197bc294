package slice

import (
	"errors"
	"fmt"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/goframes"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/merge"
)

// Sum adds up the slices of one capture. The zero value is ready to use. The slices are not trusted.
type Sum struct {
	last     *Slice // only its number, duration and comments
	profile  profile.Profile
	unknown  map[*profile.Location]string // names of locations that have no lines
	wrappers map[*profile.Location]bool
	labels   []Labels
	budget   limits.Budget
	err      error
}

var errInvalid = errors.New("a slice refers to what the slices before it do not have")

// Add decodes the next slice and adds it. After an error, which may leave a part of the slice
// added, it adds nothing more and returns the same error.
func (s *Sum) Add(data []byte) error {
	if s.err == nil {
		s.err = s.decodeAndAdd(data)
	}
	return s.err
}

func (s *Sum) decodeAndAdd(data []byte) error {
	x, err := Decode(data)
	if err != nil {
		return err
	}
	return s.add(x)
}

func (s *Sum) add(x *Slice) error {
	number := 1
	if s.last != nil {
		number = s.last.Number + 1
	}
	if x.Number != number {
		return fmt.Errorf("slice %d of the profile does not follow slice %d", x.Number, number-1)
	}
	if (x.Start != nil) != (number == 1) {
		return errInvalid
	}
	if x.Start != nil {
		s.begin(x.Start)
	}
	if err := s.charge(x); err != nil {
		return err
	}
	if err := s.addPlaces(x); err != nil {
		return err
	}
	if err := s.addNames(x.Names); err != nil {
		return err
	}
	s.labels = append(s.labels, x.Labels...)
	if err := s.addStacks(x.Stacks); err != nil {
		return err
	}
	if err := s.addValues(x.Values); err != nil {
		return err
	}
	s.last = &Slice{Number: x.Number, DurationNanos: x.DurationNanos, Comments: x.Comments}
	return nil
}

func (s *Sum) begin(x *Start) {
	s.unknown, s.wrappers = map[*profile.Location]string{}, map[*profile.Location]bool{}
	p := &s.profile
	p.TimeNanos, p.DefaultSampleType, p.Period = x.TimeNanos, x.DefaultSampleType, x.Period
	for _, t := range x.SampleType {
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: t.Type, Unit: t.Unit})
	}
	if t := x.PeriodType; t != nil {
		p.PeriodType = &profile.ValueType{Type: t.Type, Unit: t.Unit}
	}
}

// charge returns an error if there is no room for a slice.
func (s *Sum) charge(x *Slice) error {
	b := &s.budget
	b.Mappings(len(x.Mappings))
	for _, m := range x.Mappings {
		b.String(len(m.File) + len(m.BuildID))
	}
	b.Functions(len(x.Functions))
	for _, f := range x.Functions {
		b.String(len(f.Name) + len(f.SystemName) + len(f.Filename))
	}
	b.Locations(len(x.Locations))
	for _, l := range x.Locations {
		b.String(len(l.Unknown))
	}
	for _, n := range x.Names {
		b.Lines(len(n.Lines))
	}
	for _, l := range x.Labels {
		b.Labels(len(l.Text) + len(l.Numbers))
		for key, values := range l.Text {
			b.String(len(key))
			for _, v := range values {
				b.String(len(v))
			}
		}
		for key, values := range l.Numbers {
			b.String(len(key))
			b.Numbers(len(values))
		}
	}
	b.Samples(len(x.Stacks))
	for _, stack := range x.Stacks {
		b.Numbers(len(stack.Locations) + len(s.profile.SampleType))
	}
	return b.Err()
}

// addPlaces adds mappings, functions and locations.
func (s *Sum) addPlaces(x *Slice) error {
	p := &s.profile
	for _, m := range x.Mappings {
		p.Mapping = append(p.Mapping, &profile.Mapping{
			ID: uint64(len(p.Mapping) + 1), Start: m.Start, Limit: m.Limit, Offset: m.Offset,
			File: m.File, BuildID: m.BuildID,
		})
	}
	for _, f := range x.Functions {
		if f.SystemName == "" {
			f.SystemName = f.Name
		}
		p.Function = append(p.Function, &profile.Function{
			ID: uint64(len(p.Function) + 1), Name: f.Name, SystemName: f.SystemName,
			Filename: f.Filename, StartLine: max(f.StartLine, 0),
		})
	}
	for _, l := range x.Locations {
		added := &profile.Location{ID: uint64(len(p.Location) + 1), Address: l.Address}
		if l.Mapping > uint64(len(p.Mapping)) {
			return errInvalid
		}
		if l.Mapping > 0 {
			added.Mapping = p.Mapping[l.Mapping-1]
		}
		p.Location = append(p.Location, added)
		if l.Unknown != "" {
			s.unknown[added] = l.Unknown
		}
	}
	return nil
}

func (s *Sum) addNames(names []Name) error {
	for _, n := range names {
		l, ok := at(s.profile.Location, n.Location)
		if !ok || len(n.Lines) == 0 {
			return errInvalid
		}
		l.Line = nil
		for _, line := range n.Lines {
			f, ok := at(s.profile.Function, line.Function)
			if !ok {
				return errInvalid
			}
			l.Line = append(l.Line, profile.Line{Function: f, Line: max(line.Line, 0)})
		}
		delete(s.unknown, l)
		if s.wrappers[l] = n.Wrapper; l.Mapping != nil {
			describeMapping(l)
		}
	}
	return nil
}

// at returns the element with the given ID.
func at[T any](all []*T, id uint64) (*T, bool) {
	if id < 1 || id > uint64(len(all)) {
		return nil, false
	}
	return all[id-1], true
}

// describeMapping sets what a mapping has according to one of its locations. pprof tries to
// symbolize mappings without functions itself.
func describeMapping(l *profile.Location) {
	m := l.Mapping
	m.HasFunctions = true
	m.HasInlineFrames = m.HasInlineFrames || len(l.Line) > 1
	if l.Line[0].Line > 0 {
		m.HasLineNumbers, m.HasFilenames = true, true
	}
}

func (s *Sum) addStacks(stacks []Stack) error {
	for _, stack := range stacks {
		if stack.Labels < 0 || stack.Labels >= len(s.labels) || len(stack.Locations) == 0 {
			return errInvalid
		}
		labels := s.labels[stack.Labels]
		values := make([]int64, len(s.profile.SampleType))
		added := &profile.Sample{Label: labels.Text, NumLabel: labels.Numbers, Value: values}
		for _, id := range stack.Locations {
			l, ok := at(s.profile.Location, id)
			if !ok {
				return errInvalid
			}
			added.Location = append(added.Location, l)
		}
		s.profile.Sample = append(s.profile.Sample, added)
	}
	return nil
}

func (s *Sum) addValues(values []int64) error {
	for n := 1 + len(s.profile.SampleType); len(values) > 0; values = values[n:] {
		if len(values) < n || values[0] < 0 || values[0] >= int64(len(s.profile.Sample)) {
			return errInvalid
		}
		for i, v := range values[1:n] {
			s.profile.Sample[values[0]].Value[i] += v
		}
	}
	return nil
}

// Profile returns the profile of all slices, or nil if there are none. Nothing may be added afterwards.
func (s *Sum) Profile() (*profile.Profile, error) {
	if s.last == nil {
		return nil, nil
	}
	p := &s.profile
	p.DurationNanos, p.Comments = s.last.DurationNanos, s.last.Comments
	functions := map[string]*profile.Function{}
	for _, l := range p.Location {
		name, ok := s.unknown[l]
		if !ok {
			continue
		}
		if functions[name] == nil {
			functions[name] = &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, SystemName: name}
			p.Function = append(p.Function, functions[name])
		}
		l.Line = []profile.Line{{Function: functions[name]}}
	}
	goframes.Hide(p, s.wrappers)
	return merge.Profiles(p)
}
