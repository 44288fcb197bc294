package render

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// levels are shown between the root and the frames of a stack: the process, then the thread.
type levels struct{ process, thread bool }

// levelsOf returns the levels to show: processes if there are several, and threads if the profile was taken by thread. The label
// "thread" alone does not show that: a program may use it for its goroutines.
func levelsOf(p *profile.Profile) levels {
	return levels{process: countProcesses(p) > 1, thread: meta.By.Get(p) == meta.ByThread}
}

// processOf returns the name and ID of a sample's process.
func processOf(s *profile.Sample) string {
	name := "process"
	if v, ok := meta.ProcessLabel.Lookup(s); ok {
		name = printable(v)
	}
	return fmt.Sprintf("%s (%d)", name, meta.PIDLabel.Get(s))
}

// countProcesses returns the number of processes that have samples.
func countProcesses(p *profile.Profile) int {
	pids := map[int64]bool{}
	for _, s := range p.Sample {
		pids[meta.PIDLabel.Get(s)] = true
	}
	return len(pids)
}

// threadOf returns the name of a sample's thread. Threads with the same name, as in a pool, are shown as one.
func threadOf(s *profile.Sample) string {
	if name := meta.ThreadLabel.Get(s); name != "" {
		return printable(name)
	}
	return "[unnamed thread]"
}

// sumThreads returns the sum of the values for each thread name, the largest first.
func sumThreads(p *profile.Profile) []Entry {
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
