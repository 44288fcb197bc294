//go:build linux

package verify

import (
	"runtime"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
)

// callerFinder restores a caller that a frame pointer walk skips in code of a language runtime: the
// caller of a leaf without a frame, which is small, hand-written, or in its prologue or epilogue
// (golang/go#58835). The runtime's tables tell how far the stack pointer has moved since the call, and
// so where the return address is.
type callerFinder struct {
	runtimes runtimes.Set
	files    map[*proc.File]*fileCode
}

// fileCode is a file's code with a cache of stack pointer deltas.
type fileCode struct {
	code   runtimes.Code    // nil if the file holds no code of a runtime
	deltas map[uint64]int32 // bytes, by offset in the file; -1 if unknown
}

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
	f := c.open(m.File)
	if f.code == nil {
		return 0, false
	}
	delta := f.delta(leaf - m.Start + m.Offset)
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
	return m.File != nil && c.open(m.File).code != nil
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

// open returns the code in a file. It opens each file once.
func (c *callerFinder) open(f *proc.File) *fileCode {
	if known := c.files[f]; known != nil {
		return known
	}
	opened := &fileCode{deltas: map[uint64]int32{}}
	if o, err := object.Open(f); err == nil {
		opened.code = c.runtimes.OpenCode(o)
	}
	c.files[f] = opened
	return opened
}

// delta returns by how many bytes the stack pointer has moved since the call at an offset in the file,
// or -1 if that is unknown.
func (f *fileCode) delta(offset uint64) int32 {
	if d, ok := f.deltas[offset]; ok {
		return d
	}
	d, ok := f.code.StackDelta(offset)
	if !ok {
		d = -1
	}
	if len(f.deltas) < maxDeltas {
		f.deltas[offset] = d
	}
	return d
}
