package embed

import (
	"github.com/google/pprof/profile"
)

func decodeColumns(columns []byte) (*profile.Profile, error) {
	r := &reader{buf: columns}
	r.readTable()
	p := readProfile(r)
	p.Mapping = readMappings(r)
	p.Function = readFunctions(r)
	p.Location = readLocations(r, p)
	readSamples(r, p)
	if r.err == nil && len(r.buf) > 0 {
		r.fail(errNumber)
	}
	return p, r.err
}

func readProfile(r *reader) *profile.Profile {
	p := &profile.Profile{TimeNanos: r.int(), DurationNanos: r.int(), Period: r.int()}
	if r.flag() {
		p.PeriodType = &profile.ValueType{Type: r.string(), Unit: r.string()}
	}
	p.DefaultSampleType, p.DropFrames, p.KeepFrames, p.DocURL = r.string(), r.string(), r.string(), r.string()
	p.Comments = readStrings(r, &r.budget)
	types := r.count()
	if r.budget.Strings(types); !r.charged(&r.budget) {
		return p
	}
	for range types {
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: r.string(), Unit: r.string()})
	}
	return p
}

func readMappings(r *reader) []*profile.Mapping {
	var all []*profile.Mapping
	n := r.count()
	if r.budget.Mappings(n); !r.charged(&r.budget) {
		return nil
	}
	for range n {
		m := &profile.Mapping{ID: r.uint(), Start: r.uint(), Limit: r.uint(), Offset: r.uint(),
			File: r.string(), BuildID: r.string(), KernelRelocationSymbol: r.string()}
		m.HasFunctions, m.HasFilenames, m.HasLineNumbers, m.HasInlineFrames = r.flag(), r.flag(), r.flag(), r.flag()
		all = append(all, m)
	}
	return all
}

func readFunctions(r *reader) []*profile.Function {
	n := r.count()
	if r.budget.Functions(n); !r.charged(&r.budget) {
		return nil
	}
	table := make([]profile.Function, n)
	name, file, line := delta{step: 1}, delta{}, delta{}
	for i := range table {
		table[i].ID = uint64(i + 1)
		table[i].Name = r.stringAt(name.read(r))
	}
	for i := range table {
		table[i].SystemName = table[i].Name
		if s := r.uint(); s > 0 {
			table[i].SystemName = r.stringAt(s - 1)
		}
	}
	for i := range table {
		table[i].Filename = r.stringAt(file.read(r))
	}
	for i := range table {
		table[i].StartLine = int64(line.read(r))
	}
	return pointers(table)
}

func readLocations(r *reader, p *profile.Profile) []*profile.Location {
	n := r.count()
	if r.budget.Locations(n); !r.charged(&r.budget) {
		return nil
	}
	table := make([]profile.Location, n)
	mapping, address := delta{}, delta{}
	for i := range table {
		table[i].ID = uint64(i + 1)
		if m := r.check(mapping.read(r), uint64(len(p.Mapping))+1); m > 0 {
			table[i].Mapping = p.Mapping[m-1]
		}
	}
	for i := range table {
		table[i].Address = address.read(r)
	}
	for i := range table {
		table[i].IsFolded = r.flag()
	}
	counts, all := make([]int, len(table)), 0
	for i := range counts {
		counts[i] = r.count()
		all += counts[i]
	}
	if all > len(r.buf) { // each line takes at least one more byte
		r.fail(errNumber)
		return nil
	}
	if r.budget.Lines(all); !r.charged(&r.budget) {
		return nil
	}
	lines := make([]profile.Line, all)
	function, numbers := delta{}, make([]int, all)
	for i := range lines {
		if f := r.check(function.read(r), uint64(len(p.Function))+1); f > 0 {
			numbers[i], lines[i].Function = f, p.Function[f-1]
		}
	}
	before := make([]delta, len(p.Function)+1)
	for i, f := range p.Function {
		before[i+1].last = uint64(f.StartLine)
	}
	for i := range lines {
		lines[i].Line = int64(before[numbers[i]].read(r))
	}
	for i := range lines {
		lines[i].Column = r.int()
	}
	for range lines {
		r.uint() // the kind, which only the script uses
	}
	for i, n := range counts {
		if n > 0 {
			table[i].Line, lines = lines[:n:n], lines[n:]
		}
	}
	return pointers(table)
}

func readSamples(r *reader, p *profile.Profile) {
	parents, locations, depths := readTree(r, len(p.Location))
	if r.err != nil {
		return
	}
	sets := make([]labelSet, r.count())
	for i := range sets {
		sets[i] = readLabels(r)
	}
	n := r.count()
	r.budget.Samples(n)
	r.budget.Numbers(n * len(p.SampleType))
	if !r.charged(&r.budget) {
		return
	}
	samples, nodes := make([]profile.Sample, n), make([]int, n)
	var node, time delta
	frames := 0
	for i := range samples {
		nodes[i] = r.check(node.read(r), uint64(len(parents)))
		frames += int(depths[nodes[i]])
	}
	if r.budget.Numbers(frames); !r.charged(&r.budget) {
		return
	}
	for i := range samples {
		set := r.check(r.uint(), uint64(len(sets)))
		if r.err != nil {
			return
		}
		if r.budget.Labels(sets[set].size() + 1); !r.charged(&r.budget) { // each sample gets a copy, and a time
			return
		}
		sets[set].apply(&samples[i])
	}
	for i := range samples {
		if t := time.read(r); t > 0 {
			addNumber(&samples[i], timeKey, []int64{int64(t - 1)}, []string{timeUnit})
		}
	}
	readValues(r, samples, len(p.SampleType))
	if r.err != nil {
		return
	}
	all := make([]*profile.Location, 0, frames)
	for i := range samples {
		begin := len(all)
		for at := nodes[i]; at != 0; at = int(parents[at]) {
			all = append(all, p.Location[locations[at]])
		}
		samples[i].Location = all[begin:len(all):len(all)]
	}
	p.Sample = pointers(samples)
}

func readValues(r *reader, samples []profile.Sample, types int) {
	values := make([]int64, len(samples)*types)
	for i := range samples {
		samples[i].Value = values[i*types : (i+1)*types : (i+1)*types]
	}
	for column := range types {
		earlier, factor := r.below(uint64(column)+1), r.int()
		for i := range samples {
			if earlier > 0 {
				samples[i].Value[column] = samples[i].Value[earlier-1] * factor
			} else {
				samples[i].Value[column] = r.int() * factor
			}
		}
	}
}

// size returns the number of values in the set.
func (set labelSet) size() int {
	n := 0
	for _, l := range set {
		n += max(len(l.strings)+len(l.numbers), 1)
	}
	return n
}

func pointers[T any](table []T) []*T {
	if len(table) == 0 {
		return nil
	}
	all := make([]*T, len(table))
	for i := range table {
		all[i] = &table[i]
	}
	return all
}
