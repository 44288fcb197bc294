package render

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

// frameTable numbers the frames of a profile in the order of their names, so that stacks can be compared and counted as numbers.
type frameTable struct {
	all       []frame
	shown     levels
	locations map[*profile.Location][]int32 // root first
	levels    map[frame]int32               // of processes and threads
	stack     []int32
}

// newFrameTable returns the frames of a profile's stacks, including the given levels.
func newFrameTable(p *profile.Profile, shown levels) *frameTable {
	f := &frameTable{shown: shown, locations: make(map[*profile.Location][]int32, len(p.Location)), levels: map[frame]int32{}}
	numbers := map[frame]int32{}
	add := func(one frame) int32 {
		n, known := numbers[one]
		if !known {
			n = int32(len(f.all))
			numbers[one] = n
			f.all = append(f.all, one)
		}
		return n
	}
	for _, l := range p.Location {
		here, _ := locationFrames(l)
		for _, one := range here {
			f.locations[l] = append(f.locations[l], add(one))
		}
	}
	for _, s := range p.Sample {
		for _, one := range levelFrames(s, shown) {
			f.levels[one] = add(one)
		}
	}
	f.sort()
	return f
}

func (f *frameTable) sort() {
	order := make([]int32, len(f.all))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(f.all[a].name, f.all[b].name), cmp.Compare(f.all[a].kind, f.all[b].kind))
	})
	rank, sorted := make([]int32, len(order)), make([]frame, len(order))
	for r, n := range order {
		rank[n], sorted[r] = int32(r), f.all[n]
	}
	f.all = sorted
	for _, numbers := range f.locations {
		for i, n := range numbers {
			numbers[i] = rank[n]
		}
	}
	for one, n := range f.levels {
		f.levels[one] = rank[n]
	}
}

// stackOf returns the frames of a sample, root first. The slice is valid until the next call.
func (f *frameTable) stackOf(s *profile.Sample) []int32 {
	f.stack = f.stack[:0]
	for _, one := range levelFrames(s, f.shown) {
		f.stack = append(f.stack, f.levels[one])
	}
	for _, l := range slices.Backward(s.Location) {
		f.stack = append(f.stack, f.locations[l]...)
	}
	return f.stack
}
