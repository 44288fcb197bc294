package render

import (
	"slices"

	"github.com/google/pprof/profile"
)

// node is a frame in the tree of all stacks: those with the same path from the root are one node.
type node struct {
	frame
	self, total int64
	children    []*node
}

// newTree merges a profile's stacks, in time linear in the number of frames of all stacks. Siblings are in the order of their
// names: one that does not change from one profile of a program to the next.
func newTree(p *profile.Profile) *node {
	type made struct{ parent, frame int32 }
	var (
		index    = valueIndex(p)
		frames   = framesOf(p, levelsOf(p))
		places   = map[made]int32{}
		nodes    = []made{{-1, -1}}
		self     = []int64{0}
		children = []int32{0} // how many
	)
	for _, s := range p.Sample {
		value := s.Value[index]
		if value == 0 {
			continue
		}
		at := int32(0)
		for _, f := range frames.of(s) {
			step := made{at, f}
			next, known := places[step]
			if !known {
				next = int32(len(nodes))
				places[step] = next
				nodes, self, children = append(nodes, step), append(self, 0), append(children, 0)
				children[at]++
			}
			at = next
		}
		self[at] += value
	}

	tree, links := make([]node, len(nodes)), make([]*node, len(nodes))
	tree[0].frame = frame{"all", kindProcess}
	for i := range tree {
		tree[i].self, tree[i].total = self[i], self[i]
		tree[i].children, links = links[:0:children[i]], links[children[i]:]
	}
	for i := len(tree) - 1; i > 0; i-- { // children come after their parents
		tree[i].frame = frames.all[nodes[i].frame]
		tree[nodes[i].parent].total += tree[i].total
	}
	for _, i := range byFrame(len(frames.all), len(nodes), func(i int32) int32 { return nodes[i].frame }) {
		parent := &tree[nodes[i].parent]
		parent.children = append(parent.children, &tree[i])
	}
	return &tree[0]
}

// byFrame gives the numbers of the nodes but for the root's, 0, sorted by the number of their frames.
func byFrame(frames, nodes int, frameOf func(int32) int32) []int32 {
	starts := make([]int32, frames+1)
	for i := int32(1); i < int32(nodes); i++ {
		starts[frameOf(i)+1]++
	}
	for f := range frames {
		starts[f+1] += starts[f]
	}
	sorted := make([]int32, nodes-1)
	for i := int32(1); i < int32(nodes); i++ {
		f := frameOf(i)
		sorted[starts[f]] = i
		starts[f]++
	}
	return sorted
}

// walk visits the node and all below it, parents first, without recursion: stacks may be thousands
// of frames deep.
func (n *node) walk(visit func(m *node, depth int)) {
	type step struct {
		n     *node
		depth int
	}
	todo := []step{{n, 0}}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		visit(s.n, s.depth)
		for _, c := range slices.Backward(s.n.children) {
			todo = append(todo, step{c, s.depth + 1})
		}
	}
}
