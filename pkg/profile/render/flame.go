package render

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

// flame is the tree of frames, stored as columns, which take a fraction of the memory of linked nodes. Nodes are in depth-first
// order, siblings by name; node 0 is the root. The subtree of node i is the nodes from i to end[i], exclusive.
type flame struct {
	frames             []frame // distinct, by name; nodes refer to them
	frame              []int32
	parent, end, depth []int32
	start, self, total []int64 // start is the sum of the values to the left of the node
	inlined            []bool  // everywhere it occurs
}

// newFlame merges the stacks of a profile. It sorts them, so that stacks with the same beginning are neighbours and siblings are
// in the order of their names.
func newFlame(p *profile.Profile) *flame {
	index := valueIndex(p)
	stacks := newFrameStacks(p)
	order := make([]int32, 0, len(p.Sample))
	for i, s := range p.Sample {
		if s.Value[index] != 0 {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return slices.Compare(stacks.stackOf(a), stacks.stackOf(b)) })
	f := &flame{frames: stacks.frames}
	f.reserve(stacks, order)
	f.add(-1, stacks.root, 0)
	var path []int32 // nodes of the previous stack
	var last []int32
	for _, i := range order {
		value, stack := p.Sample[i].Value[index], stacks.stackOf(i)
		same := commonPrefix(last, stack)
		for k := range same {
			f.inlined[path[k]] = f.inlined[path[k]] && stack[k]&1 == 1
		}
		path = path[:same]
		for depth, at := range stack[same:] {
			parent := int32(0)
			if len(path) > 0 {
				parent = path[len(path)-1]
			}
			path = append(path, f.add(parent, at, int32(same+depth+1)))
		}
		node := int32(0)
		if len(path) > 0 {
			node = path[len(path)-1]
		}
		f.self[node] += value
		last = stack
	}
	f.sum()
	return f
}

// commonPrefix returns the number of frames that two stacks have in common from the root.
func commonPrefix(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n]>>1 == b[n]>>1 {
		n++
	}
	return n
}

// reserve allocates the columns at their final length. Growing them would take twice the memory.
func (f *flame) reserve(stacks *frameStacks, order []int32) {
	n := 1
	var last []int32
	for _, i := range order {
		stack := stacks.stackOf(i)
		n += len(stack) - commonPrefix(last, stack)
		last = stack
	}
	f.frame, f.parent, f.depth = make([]int32, 0, n), make([]int32, 0, n), make([]int32, 0, n)
	f.self, f.inlined = make([]int64, 0, n), make([]bool, 0, n)
}

func (f *flame) add(parent, frame, depth int32) int32 {
	f.parent, f.depth = append(f.parent, parent), append(f.depth, depth)
	f.frame, f.inlined = append(f.frame, frame>>1), append(f.inlined, frame&1 == 1)
	f.self = append(f.self, 0)
	return int32(len(f.parent) - 1)
}

// sum computes total, start and end from parent and self.
func (f *flame) sum() {
	n := len(f.parent)
	f.total, f.start, f.end = slices.Clone(f.self), make([]int64, n), make([]int32, n)
	for i := n - 1; i >= 0; i-- {
		f.end[i] = max(f.end[i], int32(i+1))
		if q := f.parent[i]; q >= 0 {
			f.total[q] += f.total[i]
			f.end[q] = max(f.end[q], f.end[i])
		}
	}
	next := slices.Clone(f.start) // start of each node's next child
	for i := 1; i < n; i++ {
		q := f.parent[i]
		f.start[i] = next[q]
		next[i] = next[q]
		next[q] += f.total[i]
	}
}

func (f *flame) at(node int32) frame { return f.frames[f.frame[node]] }

// frameStacks holds the stacks of all samples, root first, as numbers: twice the rank of a frame by name, plus 1 if the call is
// inlined.
type frameStacks struct {
	frames  []frame
	root    int32
	numbers []int32
	begin   []int32
}

// stackOf returns the stack of a sample.
func (s *frameStacks) stackOf(sample int32) []int32 {
	return s.numbers[s.begin[sample]:s.begin[sample+1]]
}

func newFrameStacks(p *profile.Profile) *frameStacks {
	s := &frameStacks{}
	numbers := map[frame]int32{}
	number := func(f frame) int32 {
		i, ok := numbers[f]
		if !ok {
			i = int32(len(s.frames))
			numbers[f], s.frames = i, append(s.frames, f)
		}
		return i
	}
	s.root = number(frame{"all", kindProcess}) << 1
	length := 0
	for _, sample := range p.Sample {
		length += len(sample.Location)
	}
	s.numbers, s.begin = make([]int32, 0, length), make([]int32, 0, len(p.Sample)+1)
	places, above := make(map[*profile.Location][]int32, len(p.Location)), levelsOf(p)
	for _, sample := range p.Sample {
		s.begin = append(s.begin, int32(len(s.numbers)))
		for _, f := range levelFrames(sample, above) {
			s.numbers = append(s.numbers, number(f)<<1)
		}
		for _, l := range slices.Backward(sample.Location) {
			place, ok := places[l]
			if !ok {
				frames, own := locationFrames(l)
				for i, f := range frames {
					n := number(f) << 1
					if i >= own {
						n |= 1
					}
					place = append(place, n)
				}
				places[l] = place
			}
			s.numbers = append(s.numbers, place...)
		}
	}
	s.begin = append(s.begin, int32(len(s.numbers)))
	s.rank()
	return s
}

// rank renumbers the frames in the order of their names.
func (s *frameStacks) rank() {
	order := make([]int32, len(s.frames))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.frames[a].name, s.frames[b].name), cmp.Compare(s.frames[a].kind, s.frames[b].kind))
	})
	ranks, frames := make([]int32, len(order)), make([]frame, len(order))
	for rank, i := range order {
		ranks[i], frames[rank] = int32(rank), s.frames[i]
	}
	s.frames, s.root = frames, ranks[s.root>>1]<<1
	for i, n := range s.numbers {
		s.numbers[i] = ranks[n>>1]<<1 | n&1
	}
}
