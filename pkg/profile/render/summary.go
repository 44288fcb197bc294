package render

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

// Summary is what is worth knowing of a profile at one glance.
type Summary struct {
	Samples   int64 // sum of the first values: the number of samples, if Sampled
	Sampled   bool  // whether the first values count samples
	Total     int64 // sum of the values shown, in Unit
	Type      string
	Unit      string
	Processes int
	Functions []Entry // by flat value, then by cumulative value and name
}

// Entry is a function with its values, in the summary's unit.
type Entry struct {
	Name string
	Flat int64 // on top of the stack
	Cum  int64 // anywhere in the stack, a recursion counted once
}

// totals sums up the samples alone. A profile has at least one type of value.
func totals(p *profile.Profile) Summary {
	index := valueIndex(p)
	s := Summary{Sampled: countsSamples(p), Type: printable(p.SampleType[index].Type), Unit: printable(p.SampleType[index].Unit)}
	for _, sample := range p.Sample {
		s.Samples += sample.Value[0]
		s.Total += sample.Value[index]
	}
	return s
}

// Summarize gives the n hottest functions, all if n is negative.
func Summarize(p *profile.Profile, n int) Summary {
	s, index := totals(p), valueIndex(p)
	s.Processes = processes(p)
	if n == 0 {
		return s
	}
	frames := framesOf(p, levels{})
	entries := make([]Entry, 0, len(frames.all))
	entry := make([]int, len(frames.all)) // of each frame: those of one name, which are neighbours, share one
	for i, f := range frames.all {
		if i == 0 || f.name != frames.all[i-1].name {
			entries = append(entries, Entry{Name: f.name})
		}
		entry[i] = len(entries) - 1
	}
	last := make([]int, len(entries)) // the sample that counted it last
	for i, sample := range p.Sample {
		value, stack := sample.Value[index], frames.of(sample)
		for _, f := range stack {
			if e := entry[f]; last[e] != i+1 {
				last[e] = i + 1
				entries[e].Cum += value
			}
		}
		if len(stack) > 0 {
			entries[entry[stack[len(stack)-1]]].Flat += value
		}
	}
	for e, sample := range last {
		// A file may list functions that are in no stack; others have values of other types only.
		if sample > 0 && (entries[e].Cum != 0 || entries[e].Flat != 0) {
			s.Functions = append(s.Functions, entries[e])
		}
	}
	slices.SortFunc(s.Functions, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Flat, a.Flat), cmp.Compare(b.Cum, a.Cum), cmp.Compare(a.Name, b.Name))
	})
	if n >= 0 && n < len(s.Functions) {
		s.Functions = s.Functions[:n]
	}
	return s
}
