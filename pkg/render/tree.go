package render

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

// node is a frame in the tree of all stacks: those with the same path from the root are one node.
type node struct {
	frame
	self, total int64
	children    []*node
}

// newTree merges a profile's stacks. It takes time linear in the number of frames of all stacks, plus
// sorting siblings by name: an order that does not change from one profile of a program to the next.
func newTree(p *profile.Profile) *node {
	type edge struct {
		parent *node
		frame  frame
	}
	root := &node{frame: frame{"all", kindProcess}}
	nodes, index, above := map[edge]*node{}, valueIndex(p), levelsOf(p)
	for _, s := range p.Sample {
		value := s.Value[index]
		if value == 0 {
			continue
		}
		at := root
		at.total += value
		for _, f := range stack(s, above) {
			child := nodes[edge{at, f}]
			if child == nil {
				child = &node{frame: f}
				nodes[edge{at, f}] = child
				at.children = append(at.children, child)
			}
			child.total += value
			at = child
		}
		at.self += value
	}
	root.sort()
	return root
}

func (n *node) sort() {
	n.walk(func(m *node, _ int) {
		slices.SortFunc(m.children, func(a, b *node) int {
			return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
		})
	})
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
