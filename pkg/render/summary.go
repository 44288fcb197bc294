package render

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

// Summary is what is worth knowing of a profile at one glance.
type Summary struct {
	Samples   int64 // number of samples
	Total     int64 // sum of the values shown, in Unit
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

// Summarize gives the n hottest functions, all if n is negative.
func Summarize(p *profile.Profile, n int) Summary {
	index := valueIndex(p)
	s := Summary{Processes: processes(p)}
	if index >= 0 {
		s.Unit = p.SampleType[index].Unit
	}
	entries := map[string]*Entry{}
	entry := func(name string) *Entry {
		if entries[name] == nil {
			entries[name] = &Entry{Name: name}
		}
		return entries[name]
	}
	for _, sample := range p.Sample {
		value := sample.Value[index]
		s.Samples += sample.Value[0]
		s.Total += value
		frames := stack(sample, levels{})
		seen := make(map[string]bool, len(frames))
		for i, f := range frames {
			e := entry(f.name)
			if !seen[f.name] {
				seen[f.name] = true
				e.Cum += value
			}
			if i == len(frames)-1 {
				e.Flat += value
			}
		}
	}
	for _, e := range entries {
		s.Functions = append(s.Functions, *e)
	}
	slices.SortFunc(s.Functions, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Flat, a.Flat), cmp.Compare(b.Cum, a.Cum), cmp.Compare(a.Name, b.Name))
	})
	if n >= 0 && n < len(s.Functions) {
		s.Functions = s.Functions[:n]
	}
	return s
}
