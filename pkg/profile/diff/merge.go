package diff

import (
	"cmp"
	"math"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// merger builds the tree and the functions of both profiles.
type merger struct {
	nodes     map[nodeKey]*Node
	functions map[string]*counted
	processes bool
}

// nodeKey identifies a node in the tree.
type nodeKey struct {
	parent *Node
	name   string
}

// counted is a function with the last sample that was added to it, so that a recursion counts once.
type counted struct {
	Function
	last *profile.Sample
}

// merge fills in Root and Functions.
func (d *Diff) merge() {
	m := merger{nodes: map[nodeKey]*Node{}, functions: map[string]*counted{}}
	m.processes = countProcesses(d.before.p) > 1 || countProcesses(d.after.p) > 1
	d.Root = &Node{Name: "all"}
	m.add(d.Root, d.before, func(c *Change) *int64 { return &c.Before })
	m.add(d.Root, d.after, func(c *Change) *int64 { return &c.After })
	for _, n := range m.nodes {
		slices.SortFunc(n.Children, compareNames)
	}
	slices.SortFunc(d.Root.Children, compareNames)
	for _, f := range m.functions {
		d.Functions = append(d.Functions, f.Function)
	}
	slices.SortFunc(d.Functions, func(a, b Function) int {
		return cmp.Or(cmp.Compare(math.Abs(d.Delta(b.Self)), math.Abs(d.Delta(a.Self))),
			cmp.Compare(math.Abs(d.Delta(b.Cum)), math.Abs(d.Delta(a.Cum))), cmp.Compare(a.Name, b.Name))
	})
}

// add adds a profile. field selects the field of a Change that belongs to it.
func (m *merger) add(root *Node, s side, field func(*Change) *int64) {
	shown := make(map[*profile.Location][]string, len(s.p.Location))
	for _, l := range s.p.Location {
		shown[l] = render.FrameNames(l)
	}
	for _, sample := range s.p.Sample {
		value, at := sample.Value[s.index], root
		if value == 0 {
			continue
		}
		*field(&at.Change) += value
		if m.processes {
			at = m.child(at, processName(sample))
			*field(&at.Change) += value
		}
		var leaf *counted
		for _, l := range slices.Backward(sample.Location) {
			for _, name := range shown[l] {
				at = m.child(at, name)
				*field(&at.Change) += value
				leaf = m.function(name)
				if leaf.last != sample {
					leaf.last = sample
					*field(&leaf.Cum) += value
				}
			}
		}
		if leaf != nil {
			*field(&leaf.Self) += value
		}
	}
}

func (m *merger) child(parent *Node, name string) *Node {
	n := m.nodes[nodeKey{parent, name}]
	if n == nil {
		n = &Node{Name: name}
		m.nodes[nodeKey{parent, name}] = n
		parent.Children = append(parent.Children, n)
	}
	return n
}

func (m *merger) function(name string) *counted {
	f := m.functions[name]
	if f == nil {
		f = &counted{Function: Function{Name: name}}
		m.functions[name] = f
	}
	return f
}

// processName returns the name of a sample's process. Its ID would not do: it differs from one profile to the next.
func processName(s *profile.Sample) string {
	if name, ok := meta.ProcessLabel.Lookup(s); ok {
		return render.Printable(name)
	}
	return "process"
}

// countProcesses returns the number of different process names.
func countProcesses(p *profile.Profile) int {
	names := map[string]bool{}
	for _, s := range p.Sample {
		names[processName(s)] = true
	}
	return len(names)
}
