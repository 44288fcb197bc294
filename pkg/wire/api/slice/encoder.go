package slice

import (
	"hash/maphash"
	"slices"

	"github.com/google/pprof/profile"
)

// Encoder makes the slices of one capture from a profile that grows. Its IDs must count from 1, and
// mappings, functions and locations may only be added; of a mapping only the flags may change. Its
// samples are those of the current slice, and have no units of labels. The exported fields must be
// set before the first slice.
type Encoder struct {
	// Unknown returns the name of a location until its functions are known.
	Unknown func(*profile.Location) string
	// IsWrapper reports whether a location has only functions that Go's compiler generated.
	IsWrapper func(*profile.Location) bool

	number                         int
	begin                          int64 // of the capture, Unix time in ns
	mappings, functions, locations int   // in earlier slices
	unnamed                        []*profile.Location
	seed                           maphash.Seed   // random, so that the target cannot make hashes equal
	stacks, labels                 map[uint64]int // indexes by hash
	nextStack, nextLabels          int
}

// maxKnown is the largest number of stacks, and of sets of labels, that are recognized when they
// come again. Others are sent anew.
const maxKnown = 1 << 17

// Next returns the slice of what the profile has gained since the last call.
func (e *Encoder) Next(p *profile.Profile) *Slice {
	e.number++
	x := &Slice{Number: e.number, Comments: slices.Clone(p.Comments)}
	if e.number == 1 {
		e.begin = p.TimeNanos
		e.seed, e.stacks, e.labels = maphash.MakeSeed(), map[uint64]int{}, map[uint64]int{}
		x.Start = startOf(p)
	}
	x.DurationNanos = p.TimeNanos + p.DurationNanos - e.begin
	for _, m := range p.Mapping[e.mappings:] {
		x.Mappings = append(x.Mappings, Mapping{
			Start: m.Start, Limit: m.Limit, Offset: m.Offset, File: m.File, BuildID: m.BuildID,
		})
	}
	for _, f := range p.Function[e.functions:] {
		added := Function{Name: f.Name, SystemName: f.SystemName, Filename: f.Filename, StartLine: f.StartLine}
		if added.SystemName == added.Name {
			added.SystemName = ""
		}
		x.Functions = append(x.Functions, added)
	}
	e.addLocations(x, p.Location[e.locations:])
	e.mappings, e.functions, e.locations = len(p.Mapping), len(p.Function), len(p.Location)
	for _, s := range p.Sample {
		x.Values = append(append(x.Values, int64(e.stack(x, s))), s.Value...)
	}
	return x
}

func startOf(p *profile.Profile) *Start {
	s := &Start{TimeNanos: p.TimeNanos, DefaultSampleType: p.DefaultSampleType, Period: p.Period}
	for _, t := range p.SampleType {
		s.SampleType = append(s.SampleType, ValueType{t.Type, t.Unit})
	}
	if t := p.PeriodType; t != nil {
		s.PeriodType = &ValueType{t.Type, t.Unit}
	}
	return s
}

// addLocations adds the new locations, and the names of new and earlier ones.
func (e *Encoder) addLocations(x *Slice, added []*profile.Location) {
	unnamed := append(e.unnamed, added...)
	e.unnamed = unnamed[:0]
	for _, l := range unnamed {
		if len(l.Line) == 0 {
			e.unnamed = append(e.unnamed, l)
			continue
		}
		n := Name{Location: l.ID, Wrapper: e.IsWrapper(l)}
		for _, line := range l.Line {
			n.Lines = append(n.Lines, Line{line.Function.ID, line.Line})
		}
		x.Names = append(x.Names, n)
	}
	for _, l := range added {
		a := Location{Address: l.Address}
		if l.Mapping != nil {
			a.Mapping = l.Mapping.ID
		}
		if len(l.Line) == 0 {
			a.Unknown = e.Unknown(l)
		}
		x.Locations = append(x.Locations, a)
	}
}

// stack returns the index of a sample's stack, which it adds to the slice if it is new.
func (e *Encoder) stack(x *Slice, s *profile.Sample) int {
	var h maphash.Hash
	h.SetSeed(e.seed)
	labels := e.hashLabels(s)
	maphash.WriteComparable(&h, labels)
	for _, l := range s.Location {
		maphash.WriteComparable(&h, l.ID)
	}
	return findOrAdd(e.stacks, h.Sum64(), &e.nextStack, func() {
		added := Stack{Labels: e.labelsIndex(x, s, labels), Locations: make([]uint64, len(s.Location))}
		for i, l := range s.Location {
			added.Locations[i] = l.ID
		}
		x.Stacks = append(x.Stacks, added)
	})
}

// labelsIndex returns the index of a sample's labels, whose hash is given. It adds them to the
// slice if they are new.
func (e *Encoder) labelsIndex(x *Slice, s *profile.Sample, hash uint64) int {
	return findOrAdd(e.labels, hash, &e.nextLabels, func() {
		x.Labels = append(x.Labels, Labels{Text: s.Label, Numbers: s.NumLabel})
	})
}

// findOrAdd returns the index that is known for a hash, or the next one, which add uses.
func findOrAdd(known map[uint64]int, hash uint64, next *int, add func()) int {
	if index, ok := known[hash]; ok {
		return index
	}
	add()
	index := *next
	*next++
	if len(known) < maxKnown {
		known[hash] = index
	}
	return index
}

// hashLabels returns a hash of a sample's labels that does not depend on the order of the maps.
func (e *Encoder) hashLabels(s *profile.Sample) (sum uint64) {
	var h maphash.Hash
	h.SetSeed(e.seed)
	for key, values := range s.Label {
		h.Reset()
		maphash.WriteComparable(&h, key)
		for _, v := range values {
			maphash.WriteComparable(&h, v)
		}
		sum += h.Sum64()
	}
	for key, values := range s.NumLabel {
		h.Reset()
		maphash.WriteComparable(&h, key)
		for _, v := range values {
			maphash.WriteComparable(&h, v)
		}
		sum += h.Sum64()
	}
	return sum
}
