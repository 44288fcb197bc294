//go:build linux

package verify

import (
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
)

// Checker checks the stacks that the BPF program walked. In code without frame pointers the frame pointer
// register may hold anything, and the walk may return plausible but wrong callers. Checker cuts a stack
// before its first frame that cannot be a caller.
type Checker struct {
	callers *callerFinder
	tables  Tables
	calls   callSites
	frames  []record.Frame   // frames of the stack being checked
	Early   int64            // broken stacks that were walked before their unwind table was loaded
	Astray  map[string]int64 // other broken stacks, by the path of the mapping where the walk failed
	Narrow  map[string]int64 // stacks of 32-bit programs, by the path of the leaf's mapping
}

// Tables is what is known of the mappings' objects.
type Tables interface {
	// HasTable reports whether a mapping has an unwind table.
	HasTable(*process.Mapping) bool
	// Is32Bit reports whether a mapping holds code of a 32-bit program.
	Is32Bit(*process.Mapping) bool
	// Code returns the code of a language runtime in a mapping, or nil if there is none.
	Code(*process.Mapping) runtimes.Code
}

// NewChecker returns a checker of stacks that were walked with the given unwind tables. Code of language runtimes is
// assumed to keep frame pointers.
func NewChecker(tables Tables) *Checker {
	reading := &run.Allowance{Fixed: maxReading}
	return &Checker{
		callers: &callerFinder{tables: tables, deltas: map[*proc.File]deltas{}, reading: reading},
		calls:   callSites{reading: reading}, tables: tables, Astray: map[string]int64{}, Narrow: map[string]int64{},
	}
}

// maxReading bounds the time for reading the target's files, see run.Allowance. Most results are cached; others take
// some 10 µs, unless a file system is slow.
const maxReading = 2 * time.Second

// Check returns a sample's checked user stack, leaf first, and how it ends. The address of a caller lies
// within its call instruction.
func (c *Checker) Check(g *process.Generation, s *record.Sample) (record.Stack, stack.End) {
	if s.End == bpf.CPUWalkEndEND_NOT_WALKED {
		return nil, stack.NotWalked
	}
	if g.Mappings == nil {
		return nil, stack.Complete // the process has exited, and its mappings are unknown
	}
	c.frames = s.User.AppendFrames(c.frames[:0])
	if leaf, ok := s.User.Leaf(); ok {
		if m := g.FindMapping(leaf); m != nil && c.tables.Is32Bit(m) {
			count(c.Narrow, m)
			return record.Stack(nil).Append(c.frames[0].Kind, leaf, c.frames[0].Payload), stack.Broken
		}
	}
	walked := c.frames
	end := c.end(g, s, walked)
	for i := 1; i < len(walked); i++ {
		if walked[i].ByFramePointer && !c.follows(g, s, c.frames, i) {
			walked, end = walked[:i], stack.Broken
			break
		}
	}
	if end == stack.Broken && len(walked) > 0 {
		c.countBroken(s, g.FindMapping(record.Instruction(walked, len(walked)-1)))
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

// end returns how the stack ends, from the reason for which the walk stopped.
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
		// A zero ends a chain of frame pointers. A zero in the leaf's register proves nothing, except in
		// code that always keeps frame pointers.
		if last > 0 && frames[last].ByFramePointer {
			return stack.Complete
		}
		if m := g.FindMapping(record.Instruction(frames, last)); m != nil && c.callers.keepsFramePointers(m) {
			return stack.Complete
		}
	}
	return stack.Broken
}

// follows reports whether frame i, found by a frame pointer, can be the caller of the one before it.
func (c *Checker) follows(g *process.Generation, s *record.Sample, frames []record.Frame, i int) bool {
	if frames[i-1].Kind == record.RuntimeFrame || frames[i].Kind == record.RuntimeFrame {
		return true // the runtime has described the frame of its JIT-compiled code
	}
	callee := g.FindMapping(record.Instruction(frames, i-1))
	if callee != nil && c.callers.keepsFramePointers(callee) {
		return true
	}
	if callee != nil && !s.HasTables && c.tables.HasTable(callee) {
		return false // walked before the table was loaded
	}
	caller := g.FindMapping(record.Instruction(frames, i))
	return caller != nil && c.calls.follows(caller, frames[i].Address)
}

// countBroken counts a stack that breaks in mapping m, which may be nil.
func (c *Checker) countBroken(s *record.Sample, m *process.Mapping) {
	if (!s.HasTables || s.End == bpf.CPUWalkEndEND_UNMAPPED) && m != nil && c.tables.HasTable(m) {
		c.Early++
		return
	}
	count(c.Astray, m)
}

// count counts a stack by the path of a mapping, which may be nil.
func count(byPath map[string]int64, m *process.Mapping) {
	path := process.AnonymousMapping
	if m == nil {
		path = process.NoMapping
	} else if m.Path != "" {
		path = m.Path
	}
	if _, known := byPath[path]; known || len(byPath) < maxAstray {
		byPath[path]++
	}
}

// maxAstray bounds the mappings for which broken stacks are counted.
const maxAstray = 1000
