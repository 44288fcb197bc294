//go:build linux

package capture

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// stackChecker looks at the stacks that the BPF program walked. Frame pointers lead astray in code that
// keeps none, and what was found there looks like a stack: such a stack is cut where it stops being true.
type stackChecker struct {
	callers *leafCallers
	tables  *unwindTables
	calls   callSites
	early   int64            // broken stacks for which there was a table, but not yet in the kernel
	astray  map[string]int64 // broken stacks, by the mapping in which the walk lost its way
}

func newStackChecker(tables *unwindTables) *stackChecker {
	return &stackChecker{callers: &leafCallers{}, tables: tables, astray: map[string]int64{}}
}

// check gives a sample's user stack as the addresses of its instructions, leaf first: of callers one
// within the call. It says how the stack ends.
func (c *stackChecker) check(g *generation, s *sample) ([]uint64, stackEnd) {
	if s.end == bpf.CPUWalkEndEND_NOT_WALKED {
		return nil, notTaken
	}
	if g.mappings == nil {
		return nil, complete // the process has ended: that is all that is known
	}
	walked := s.user
	end := c.end(g, s)
	for i := 1; i < len(walked); i++ {
		if walked[i]&uint64(bpf.CPUAddressMarkBY_FRAME_POINTER) != 0 && !c.follows(g, s, i) {
			walked, end = walked[:i], broken
			break
		}
	}
	if end == broken && len(walked) > 0 {
		c.note(s, g.find(instruction(walked, len(walked)-1)))
	}
	caller, hidden := c.callers.hidden(g, s)
	addresses := make([]uint64, 0, len(walked)+1)
	for i := range walked {
		addresses = append(addresses, instruction(walked, i))
		if i == 0 && hidden {
			addresses = append(addresses, caller-1)
		}
	}
	return addresses, end
}

// end judges why the walk ended.
func (c *stackChecker) end(g *generation, s *sample) stackEnd {
	last := len(s.user) - 1
	switch s.end {
	case bpf.CPUWalkEndEND_ROOT:
		return complete
	case bpf.CPUWalkEndEND_TRUNCATED:
		return truncated
	case bpf.CPUWalkEndEND_NO_CALLER:
		if last < 0 {
			return complete
		}
		// A chain of frame pointers ends with a zero. A zero at its very beginning says nothing, but for
		// Go, which always keeps them.
		if last > 0 && s.user[last]&uint64(bpf.CPUAddressMarkBY_FRAME_POINTER) != 0 {
			return complete
		}
		if m := g.find(instruction(s.user, last)); m != nil && c.callers.isGo(m) {
			return complete
		}
	}
	return broken
}

// follows tells whether frame i, found by a frame pointer, can be the caller of the one before it.
func (c *stackChecker) follows(g *generation, s *sample, i int) bool {
	callee := g.find(instruction(s.user, i-1))
	if callee != nil && c.callers.isGo(callee) {
		return true
	}
	if callee != nil && !s.known && len(c.tables.of(callee).parts) > 0 {
		return false // the table was not there yet, and without it nothing is known
	}
	caller := g.find(instruction(s.user, i))
	return caller != nil && c.calls.follows(caller, s.user[i]&^marks)
}

// note counts a broken stack, by its reason.
func (c *stackChecker) note(s *sample, m *mapping) {
	if (!s.known || s.end == bpf.CPUWalkEndEND_UNMAPPED) && m != nil && len(c.tables.of(m).parts) > 0 {
		c.early++
		return
	}
	path := AnonymousMapping
	if m != nil && m.Path != "" {
		path = m.Path
	}
	if _, known := c.astray[path]; known || len(c.astray) < maxAstray {
		c.astray[path]++
	}
}

// maxAstray bounds the mappings that are told apart.
const maxAstray = 1000
