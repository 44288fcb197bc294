package embed

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

func encodeColumns(p *profile.Profile, kind KindFunc) ([]byte, error) {
	w := newWriter()
	writeProfile(w, p)
	writeMappings(w, p)
	t := newTables(p)
	writeFunctions(w, t)
	writeLocations(w, t, kind)
	if err := writeSamples(w, p, t); err != nil {
		return nil, err
	}
	return w.finish(), nil
}

func writeProfile(w *writer, p *profile.Profile) {
	w.int(p.TimeNanos)
	w.int(p.DurationNanos)
	w.int(p.Period)
	w.flag(p.PeriodType != nil)
	if p.PeriodType != nil {
		w.string(p.PeriodType.Type)
		w.string(p.PeriodType.Unit)
	}
	for _, s := range []string{p.DefaultSampleType, p.DropFrames, p.KeepFrames, p.DocURL} {
		w.string(s)
	}
	w.uint(uint64(len(p.Comments)))
	for _, c := range p.Comments {
		w.string(c)
	}
	w.uint(uint64(len(p.SampleType)))
	for _, t := range p.SampleType {
		w.string(t.Type)
		w.string(t.Unit)
	}
}

func writeMappings(w *writer, p *profile.Profile) {
	w.uint(uint64(len(p.Mapping)))
	for _, m := range p.Mapping {
		w.uint(m.ID)
		w.uint(m.Start)
		w.uint(m.Limit)
		w.uint(m.Offset)
		w.string(m.File)
		w.string(m.BuildID)
		w.string(m.KernelRelocationSymbol)
		for _, b := range []bool{m.HasFunctions, m.HasFilenames, m.HasLineNumbers, m.HasInlineFrames} {
			w.flag(b)
		}
	}
}

// tables holds the functions and locations of a profile in the order in which they are written: functions by name, locations by
// address, so that neighbours are similar.
type tables struct {
	functions []*profile.Function
	locations []*profile.Location
	function  map[*profile.Function]int32 // index in functions
	location  map[*profile.Location]int32
	mapping   map[*profile.Mapping]int32
	// Stacks are sorted by names, as they are drawn. places maps a location to its rank in that order, byPlace is the inverse.
	places, byPlace []int32
}

func newTables(p *profile.Profile) *tables {
	t := &tables{functions: slices.Clone(p.Function), locations: slices.Clone(p.Location)}
	slices.SortStableFunc(t.functions, func(a, b *profile.Function) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Filename, b.Filename), cmp.Compare(a.StartLine, b.StartLine), cmp.Compare(a.SystemName, b.SystemName))
	})
	t.function, t.mapping = indices(t.functions), indices(p.Mapping)
	place := func(l *profile.Location) int32 {
		if l.Mapping == nil {
			return -1
		}
		return t.mapping[l.Mapping]
	}
	slices.SortStableFunc(t.locations, func(a, b *profile.Location) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.Address, b.Address), slices.CompareFunc(a.Line, b.Line, t.compareLines))
	})
	t.location = indices(t.locations)
	t.places, t.byPlace = make([]int32, len(t.locations)), make([]int32, len(t.locations))
	for i := range t.byPlace {
		t.byPlace[i] = int32(i)
	}
	slices.SortFunc(t.byPlace, func(a, b int32) int { return cmp.Or(cmp.Compare(t.outermost(a), t.outermost(b)), cmp.Compare(a, b)) })
	for place, i := range t.byPlace {
		t.places[i] = int32(place)
	}
	return t
}

// outermost returns the number of the function at a location into which the others are inlined.
func (t *tables) outermost(location int32) int32 {
	lines := t.locations[location].Line
	if len(lines) == 0 {
		return 0
	}
	return t.numberOf(lines[len(lines)-1])
}

func (t *tables) compareLines(a, b profile.Line) int {
	return cmp.Or(cmp.Compare(t.numberOf(a), t.numberOf(b)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// numberOf returns the number of a line's function in the columns: 0 if it has none.
func (t *tables) numberOf(l profile.Line) int32 {
	if l.Function == nil {
		return 0
	}
	return t.function[l.Function] + 1
}

func indices[T any](all []*T) map[*T]int32 {
	m := make(map[*T]int32, len(all))
	for i, v := range all {
		m[v] = int32(i)
	}
	return m
}

func writeFunctions(w *writer, t *tables) {
	w.uint(uint64(len(t.functions)))
	name, file, line := delta{step: 1}, delta{}, delta{}
	for _, f := range t.functions {
		name.write(w, w.index(f.Name))
	}
	for _, f := range t.functions {
		if f.SystemName == f.Name {
			w.uint(0)
		} else {
			w.uint(1 + w.index(f.SystemName))
		}
	}
	for _, f := range t.functions {
		file.write(w, w.index(f.Filename))
	}
	for _, f := range t.functions {
		line.write(w, uint64(f.StartLine))
	}
}

func writeLocations(w *writer, t *tables, kind KindFunc) {
	w.uint(uint64(len(t.locations)))
	mapping, address := delta{}, delta{}
	for _, l := range t.locations {
		if l.Mapping == nil {
			mapping.write(w, 0)
		} else {
			mapping.write(w, uint64(t.mapping[l.Mapping]+1))
		}
	}
	for _, l := range t.locations {
		address.write(w, l.Address)
	}
	for _, l := range t.locations {
		w.flag(l.IsFolded)
	}
	for _, l := range t.locations {
		w.uint(uint64(len(l.Line)))
	}
	function := delta{}
	t.eachLine(func(_ *profile.Location, ln profile.Line) { function.write(w, uint64(t.numberOf(ln))) })
	// A line number is relative to the line before of the same function; the first to the start of the function.
	lines := make([]delta, len(t.functions)+1)
	for i, f := range t.functions {
		lines[i+1].last = uint64(f.StartLine)
	}
	t.eachLine(func(_ *profile.Location, ln profile.Line) { lines[t.numberOf(ln)].write(w, uint64(ln.Line)) })
	t.eachLine(func(_ *profile.Location, ln profile.Line) { w.int(ln.Column) })
	t.eachLine(func(l *profile.Location, ln profile.Line) {
		if ln.Function == nil {
			w.uint(0)
			return
		}
		w.uint(uint64(kind(ln.Function, l.Mapping)))
	})
}

func (t *tables) eachLine(do func(*profile.Location, profile.Line)) {
	for _, l := range t.locations {
		for _, ln := range l.Line {
			do(l, ln)
		}
	}
}
