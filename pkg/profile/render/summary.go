package render

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

// Summary is an overview of a profile.
type Summary struct {
	Samples   int64 // sum of the first values: the number of samples, if Sampled
	Sampled   bool  // whether the first values count samples
	Total     int64 // sum of the values that are shown, in Unit
	Type      string
	Unit      string
	Processes int
	Functions []Entry // by flat value, then by cumulative value and name
}

// Entry has the values of a function, in the unit of the summary.
type Entry struct {
	Name string
	Flat int64 // on top of the stack
	Cum  int64 // anywhere in the stack, a recursion counted once
}

// totals returns a summary without processes and functions. The profile must have a sample type.
func totals(p *profile.Profile) Summary {
	index := valueIndex(p)
	s := Summary{Sampled: countsSamples(p), Type: printable(p.SampleType[index].Type), Unit: printable(p.SampleType[index].Unit)}
	for _, sample := range p.Sample {
		s.Samples += sample.Value[0]
		s.Total += sample.Value[index]
	}
	return s
}

// Summarize returns a summary with the n hottest functions, or all if n is negative.
func Summarize(p *profile.Profile, n int) Summary {
	s, index := totals(p), valueIndex(p)
	s.Processes = countProcesses(p)
	if n == 0 {
		return s
	}
	frames := newFrameTable(p, levels{})
	entries := make([]Entry, 0, len(frames.all))
	entry := make([]int, len(frames.all)) // of each frame; frames with the same name are neighbours and share one
	for i, f := range frames.all {
		if i == 0 || f.name != frames.all[i-1].name {
			entries = append(entries, Entry{Name: f.name})
		}
		entry[i] = len(entries) - 1
	}
	last := make([]int, len(entries)) // the last sample that was added to it, plus 1
	for i, sample := range p.Sample {
		value, stack := sample.Value[index], frames.stackOf(sample)
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
		// Functions may be in no stack, or have only values of other types.
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
