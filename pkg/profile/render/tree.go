package render

import (
	"slices"

	"github.com/google/pprof/profile"
)

// node is a frame in the tree of all stacks. Frames with the same path from the root are one node.
type node struct {
	frame
	self, total int64
	inlined     bool // everywhere it occurs
	children    []*node
}

// newTree merges the stacks of a profile. Siblings are in the order of their names, so that profiles of the same program look
// alike.
func newTree(p *profile.Profile) *node {
	f := newFlame(p)
	tree := make([]node, len(f.parent))
	for i := range tree {
		n := &tree[i]
		n.frame, n.self, n.total, n.inlined = f.at(int32(i)), f.self[i], f.total[i], f.inlined[i]
		if q := f.parent[i]; q >= 0 {
			tree[q].children = append(tree[q].children, n)
		}
	}
	return &tree[0]
}

// walk visits the node and all its descendants, parents first. It does not recurse, because stacks may be thousands of frames deep.
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
