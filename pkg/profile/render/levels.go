package render

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"
)

// levels are those above a stack's own frames: which process, then which thread.
type levels struct{ process, thread bool }

// levelsOf shows processes where there are several, and threads where the profile was asked to tell them
// apart. A label "thread" alone does not say so: a program may give such to its goroutines.
func levelsOf(p *profile.Profile) levels {
	return levels{process: processes(p) > 1, thread: comment(p, "by") == "thread"}
}

func processOf(s *profile.Sample) string {
	name := "process"
	if v := s.Label["process"]; len(v) > 0 {
		name = printable(v[0])
	}
	return fmt.Sprintf("%s (%d)", name, pidOf(s))
}

// pidOf is the sample's process, 0 if the profile does not say.
func pidOf(s *profile.Sample) int64 {
	if v := s.NumLabel["pid"]; len(v) > 0 {
		return v[0]
	}
	return 0
}

// processes counts the processes that have samples.
func processes(p *profile.Profile) int {
	pids := map[int64]bool{}
	for _, s := range p.Sample {
		pids[pidOf(s)] = true
	}
	return len(pids)
}

// threadOf is the name of a sample's thread. The threads of a pool often share one, and are one level.
func threadOf(s *profile.Sample) string {
	if v := s.Label["thread"]; len(v) > 0 && v[0] != "" {
		return printable(v[0])
	}
	return "[unnamed thread]"
}

// threads sums up the samples of the threads of each name, the hottest first.
func threads(p *profile.Profile) []Entry {
	index, sums := valueIndex(p), map[string]int64{}
	for _, s := range p.Sample {
		sums[threadOf(s)] += s.Value[index]
	}
	var all []Entry
	for name, value := range sums {
		all = append(all, Entry{Name: name, Flat: value, Cum: value})
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Or(cmp.Compare(b.Flat, a.Flat), cmp.Compare(a.Name, b.Name)) })
	return all
}
