package render

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

// frames gives the stacks of a profile as numbers of frames, each of which is worked out once: names are long and
// stacks many. Numbers are in the order of names.
type frames struct {
	all   []frame
	above levels
	own   map[*profile.Location][]int32 // root first
	upper map[frame]int32               // of processes and threads
	stack []int32
}

// framesOf works out the frames of a profile's stacks below the given levels.
func framesOf(p *profile.Profile, above levels) *frames {
	f := &frames{above: above, own: make(map[*profile.Location][]int32, len(p.Location)), upper: map[frame]int32{}}
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
			f.own[l] = append(f.own[l], add(one))
		}
	}
	for _, s := range p.Sample {
		for _, one := range levelFrames(s, above) {
			f.upper[one] = add(one)
		}
	}
	f.sort()
	return f
}

func (f *frames) sort() {
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
	for _, numbers := range f.own {
		for i, n := range numbers {
			numbers[i] = rank[n]
		}
	}
	for one, n := range f.upper {
		f.upper[one] = rank[n]
	}
}

// of gives a sample's frames, root first. The slice is good until the next call.
func (f *frames) of(s *profile.Sample) []int32 {
	f.stack = f.stack[:0]
	for _, one := range levelFrames(s, f.above) {
		f.stack = append(f.stack, f.upper[one])
	}
	for _, l := range slices.Backward(s.Location) {
		f.stack = append(f.stack, f.own[l]...)
	}
	return f.stack
}
