//go:build linux

package verify

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
)

// Checker looks at the stacks that the BPF program walked. Frame pointers lead astray in code that
// keeps none, and what was found there looks like a stack: such a stack is cut where it stops being true.
type Checker struct {
	callers *callerFinder
	tables  Tables
	calls   callSites
	frames  []record.Frame   // of the stack that is being checked
	Early   int64            // broken stacks for which there was a table, but not yet in the kernel
	Astray  map[string]int64 // broken stacks, by the mapping in which the walk lost its way
}

// Tables reports for which mappings there are unwind tables.
type Tables interface {
	HasTable(*process.Mapping) bool
}

// NewChecker returns a checker of stacks that were walked by the tables. Code of the given runtimes keeps frame pointers.
func NewChecker(tables Tables, known runtimes.Set) *Checker {
	return &Checker{callers: &callerFinder{runtimes: known, files: map[*proc.File]*fileCode{}}, tables: tables, Astray: map[string]int64{}}
}

// Check gives a sample's user stack as the addresses of its instructions, leaf first: of callers one
// within the call. It says how the stack ends.
func (c *Checker) Check(g *process.Generation, s *record.Sample) (record.Stack, stack.End) {
	if s.End == bpf.CPUWalkEndEND_NOT_WALKED {
		return nil, stack.NotWalked
	}
	if g.Mappings == nil {
		return nil, stack.Complete // the process has ended: that is all that is known
	}
	c.frames = s.User.AppendFrames(c.frames[:0])
	walked := c.frames
	end := c.end(g, s, walked)
	for i := 1; i < len(walked); i++ {
		if walked[i].ByFramePointer && !c.follows(g, s, c.frames, i) {
			walked, end = walked[:i], stack.Broken
			break
		}
	}
	if end == stack.Broken && len(walked) > 0 {
		c.note(s, g.FindMapping(record.Instruction(walked, len(walked)-1)))
	}
	caller, missing := c.callers.missingCaller(g, s, c.frames)
	checked := make(record.Stack, 0, len(s.User)+1)
	for i := range walked {
		checked = checked.Append(walked[i].Kind, record.Instruction(walked, i), walked[i].Payload)
		if i == 0 && missing {
			checked = checked.Append(record.NativeFrame, caller-1, [2]uint64{})
		}
	}
	return checked, end
}

// end judges why the walk ended.
func (c *Checker) end(g *process.Generation, s *record.Sample, frames []record.Frame) stack.End {
	last := len(frames) - 1
	switch s.End {
	case bpf.CPUWalkEndEND_ROOT:
		return stack.Complete
	case bpf.CPUWalkEndEND_TRUNCATED:
		return stack.Truncated
	case bpf.CPUWalkEndEND_NO_CALLER:
		if last < 0 {
			return stack.Complete
		}
		// A chain of frame pointers ends with a zero. A zero at its very beginning says nothing, except in code that
		// always keeps them.
		if last > 0 && frames[last].ByFramePointer {
			return stack.Complete
		}
		if m := g.FindMapping(record.Instruction(frames, last)); m != nil && c.callers.keepsFramePointers(m) {
			return stack.Complete
		}
	}
	return stack.Broken
}

// follows tells whether frame i, found by a frame pointer, can be the caller of the one before it.
func (c *Checker) follows(g *process.Generation, s *record.Sample, frames []record.Frame, i int) bool {
	if frames[i-1].Kind == record.RuntimeFrame || frames[i].Kind == record.RuntimeFrame {
		return true // code made at run time, by a runtime that knows its frames
	}
	callee := g.FindMapping(record.Instruction(frames, i-1))
	if callee != nil && c.callers.keepsFramePointers(callee) {
		return true
	}
	if callee != nil && !s.HasTables && c.tables.HasTable(callee) {
		return false // the table was not there yet, and without it nothing is known
	}
	caller := g.FindMapping(record.Instruction(frames, i))
	return caller != nil && c.calls.follows(caller, frames[i].Address)
}

// note counts a broken stack, by its reason.
func (c *Checker) note(s *record.Sample, m *process.Mapping) {
	if (!s.HasTables || s.End == bpf.CPUWalkEndEND_UNMAPPED) && m != nil && c.tables.HasTable(m) {
		c.Early++
		return
	}
	path := process.AnonymousMapping
	if m != nil && m.Path != "" {
		path = m.Path
	}
	if _, known := c.Astray[path]; known || len(c.Astray) < maxAstray {
		c.Astray[path]++
	}
}

// maxAstray bounds the mappings that are told apart.
const maxAstray = 1000
