package render

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// levels are those above a stack's own frames: which process, then which thread.
type levels struct{ process, thread bool }

// levelsOf shows processes where there are several, and threads where the profile was asked to tell them
// apart. A label "thread" alone does not say so: a program may give such to its goroutines.
func levelsOf(p *profile.Profile) levels {
	return levels{process: processes(p) > 1, thread: meta.By.Get(p) == meta.ByThread}
}

func processOf(s *profile.Sample) string {
	name := "process"
	if v, ok := meta.ProcessLabel.Lookup(s); ok {
		name = printable(v)
	}
	return fmt.Sprintf("%s (%d)", name, meta.PIDLabel.Get(s))
}

// processes counts the processes that have samples.
func processes(p *profile.Profile) int {
	pids := map[int64]bool{}
	for _, s := range p.Sample {
		pids[meta.PIDLabel.Get(s)] = true
	}
	return len(pids)
}

// threadOf is the name of a sample's thread. The threads of a pool often share one, and are one level.
func threadOf(s *profile.Sample) string {
	if name := meta.ThreadLabel.Get(s); name != "" {
		return printable(name)
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
