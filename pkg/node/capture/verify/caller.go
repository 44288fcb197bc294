//go:build linux

package verify

import (
	"runtime"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// leafCallers restores what frame pointers lose in Go code: the caller of a function that keeps no
// frame pointer of its own, for it is small, hand-written, or at its first or last instructions
// (golang/go#58835). Its table says how far the stack pointer has moved since the call, and so
// where the return address is.
type leafCallers struct {
	tables map[*proc.File]*leafTable
}

// leafTable is a Go program's function table with the answers that were given.
type leafTable struct {
	table  *gopclntab.Table
	deltas map[uint64]int32 // by address; -1 if unknown
}

// maxDeltas bounds the answers that are kept.
const maxDeltas = 1 << 16

// hidden gives the leaf's caller where the stack that was walked does not have it.
func (c *leafCallers) hidden(g *process.Generation, s *record.Sample) (caller uint64, missing bool) {
	if len(s.User) == 0 {
		return 0, false
	}
	leaf := s.User[0] &^ record.Marks
	m := g.FindMapping(leaf)
	if m == nil || m.File == nil {
		return 0, false
	}
	t := c.tableOf(m.File)
	if t.table == nil {
		return 0, false
	}
	delta := t.delta(leaf - m.Start + m.Offset)
	if delta < 0 {
		return 0, false
	}
	caller = returnAddress(s, delta)
	if caller == 0 || len(s.User) > 1 && s.User[1]&^record.Marks == caller {
		return 0, false
	}
	// A word that is no return address into code of the same program was not the caller's.
	in := g.FindMapping(caller)
	return caller, in != nil && in.File == m.File
}

// isGo tells whether a mapping is of a Go program.
func (c *leafCallers) isGo(m *process.Mapping) bool {
	return m.File != nil && c.tableOf(m.File).table != nil
}

// returnAddress finds what the call pushed: on amd64 onto the stack, on arm64 into the link register,
// which a function that has a frame then saves together with the frame pointer.
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

func (c *leafCallers) tableOf(f *proc.File) *leafTable {
	if t := c.tables[f]; t != nil {
		return t
	}
	t := &leafTable{deltas: map[uint64]int32{}}
	if o, err := object.Open(f); err == nil {
		t.table, _ = gopclntab.Open(o) // not Go: then nothing is to be repaired
	}
	if c.tables == nil {
		c.tables = map[*proc.File]*leafTable{}
	}
	c.tables[f] = t
	return t
}

// delta is how far the stack pointer has moved at a place in the file; -1 if unknown.
func (t *leafTable) delta(offset uint64) int32 {
	if d, ok := t.deltas[offset]; ok {
		return d
	}
	d := int32(-1)
	if address, ok := t.table.Address(offset); ok {
		if found, err := t.table.StackDelta(address); err == nil {
			d = found
		}
	}
	if len(t.deltas) < maxDeltas {
		t.deltas[offset] = d
	}
	return d
}
