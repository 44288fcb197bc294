//go:build linux

package verify

import (
	"runtime"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
)

// callerFinder restores a caller that a frame pointer walk skips in code of a language runtime: the
// caller of a leaf without a frame, which is small, hand-written, or in its prologue or epilogue
// (golang/go#58835). The runtime's tables tell how far the stack pointer has moved since the call, and
// so where the return address is.
type callerFinder struct {
	tables  Tables
	deltas  map[*proc.File]deltas
	reading *run.Allowance // for reading the runtimes' tables
}

// deltas caches the stack pointer deltas of a file's code: bytes, by offset in the file; -1 if unknown.
type deltas map[uint64]int32

// maxDeltas bounds the deltas that are cached for a file.
const maxDeltas = 1 << 16

// missingCaller returns the return address to the leaf's caller. It reports false if the stack already
// has that caller, or if the caller is not known.
func (c *callerFinder) missingCaller(g *process.Generation, s *record.Sample, frames []record.Frame) (caller uint64, missing bool) {
	if len(frames) == 0 || frames[0].Kind != record.NativeFrame {
		return 0, false
	}
	leaf := frames[0].Address
	m := g.FindMapping(leaf)
	if m == nil || m.File == nil {
		return 0, false
	}
	code := c.tables.Code(m)
	if code == nil {
		return 0, false
	}
	delta := c.delta(m.File, code, leaf-m.Start+m.Offset)
	if delta < 0 {
		return 0, false
	}
	caller = returnAddress(s, delta)
	if caller == 0 || len(frames) > 1 && frames[1].Address == caller {
		return 0, false
	}
	// A return address must point into code of the same file.
	in := g.FindMapping(caller)
	return caller, in != nil && in.File == m.File
}

// keepsFramePointers reports whether a mapping holds code of a runtime, which always keeps frame pointers.
func (c *callerFinder) keepsFramePointers(m *process.Mapping) bool {
	return m.File != nil && c.tables.Code(m) != nil
}

// returnAddress returns the return address of the leaf, or 0 if the sample does not contain it. On amd64
// the call pushes it onto the stack, delta bytes above the stack pointer. On arm64 the call puts it into
// the link register; a function with a frame saves that together with the frame pointer.
func returnAddress(s *record.Sample, delta int32) uint64 {
	if runtime.GOARCH == "arm64" {
		if delta == 0 {
			return s.LinkRegister
		}
		return 0
	}
	if i := int(delta / 8); delta%8 == 0 && i < len(s.Top) {
		return s.Top[i]
	}
	return 0
}

// delta returns by how many bytes the stack pointer has moved since the call at an offset in the file,
// or -1 if that is unknown.
func (c *callerFinder) delta(f *proc.File, code runtimes.Code, offset uint64) int32 {
	known := c.deltas[f]
	if d, ok := known[offset]; ok {
		return d
	}
	if c.reading.Left() < 0 {
		return -1
	}
	began := time.Now()
	d, ok := code.StackDelta(offset)
	c.reading.Spend(began)
	if !ok {
		d = -1
	}
	if known == nil {
		known = deltas{}
		c.deltas[f] = known
	}
	if len(known) < maxDeltas {
		known[offset] = d
	}
	return d
}
