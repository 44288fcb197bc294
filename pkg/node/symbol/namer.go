//go:build linux

package symbol

import (
	"bytes"
	"io"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// namer names the code of one object.
type namer struct {
	file   *object.File
	code   object.CodeSegments
	table  codeTable          // nil if the object has none
	found  map[uint64][]frame // by the addresses that find was called with and that are not in the table
	starts map[uint64]uint64  // first addresses of functions, by addresses without frames
	debug  func() *proc.File  // opens the file that the symbols were moved to, if there is one
}

// openFile returns nil for a file that is not an object.
func openFile(f *proc.File) *namer {
	n := newNamer(f)
	if n != nil {
		n.debug = func() *proc.File { return openDebugFile(f, n.file) }
	}
	return n
}

// openVDSO opens the code that the kernel maps into every process. It returns nil if that cannot be
// read.
func openVDSO() *namer {
	code := proc.VDSO()
	if code == nil {
		return nil
	}
	return newNamer(bytes.NewReader(code))
}

func newNamer(r io.ReaderAt) *namer {
	f, err := object.Open(r)
	if err != nil {
		return nil
	}
	n := &namer{file: f, code: f.CodeSegments(), found: map[uint64][]frame{}, debug: func() *proc.File { return nil }}
	for _, open := range codeTables {
		if n.table = open(f); n.table != nil {
			break
		}
	}
	return n
}

// address converts an address of a process to the object's own numbering.
func (n *namer) address(m *profile.Mapping, address uint64) uint64 {
	offset := address - m.Start + m.Offset
	if a, ok := n.code.Address(offset); ok {
		return a
	}
	return offset
}

// frames returns the functions at an address, inlined ones first; none if it is unknown. Addresses
// that are not in the runtime's table must have been passed to find.
func (n *namer) frames(address uint64) []frame {
	if n.table != nil {
		if frames := n.table.frames(address); len(frames) > 0 {
			return frames
		}
	}
	return n.found[address]
}

// find looks up those of the addresses that the runtime's table does not have. It looks them up all
// at once, because symbols and debugging information are read in one pass and not kept.
func (n *namer) find(addresses []uint64) {
	var rest []uint64
	for _, a := range addresses {
		if n.table == nil || !n.table.covers(a) {
			rest = append(rest, a)
		}
	}
	if len(rest) == 0 {
		return
	}
	slices.Sort(rest)
	rest = slices.Compact(rest)
	files := []*object.File{n.file}
	if debug := n.debug(); debug != nil {
		defer debug.Close()
		if f, err := object.Open(debug); err == nil {
			files = append(files, f)
		}
	}
	if mini := n.file.MiniDebugInfo(); mini != nil {
		files = append(files, mini)
	}
	names := nearestSymbols(files, rest)
	for _, f := range files {
		// After an error, what was found before it remains, and there are the names of symbols.
		frames, _ := debugInfoFrames(f, rest)
		for a, found := range frames {
			if len(n.found[a]) == 0 {
				n.found[a] = found
			}
		}
	}
	stubs := n.file.StubTargets(rest)
	var unknown []uint64
	for _, a := range rest {
		if target := stubs[a]; target != "" {
			n.found[a] = []frame{{name: demangled(target) + "@plt", system: target + "@plt"}} // as objdump names it
			continue
		}
		if n.setSymbol(a, names[a]); len(n.found[a]) == 0 {
			unknown = append(unknown, a)
		}
	}
	n.starts = ehframe.Starts(n.file, unknown)
}

// setSymbol names the outermost function at an address by its symbol: for static functions of C++,
// debugging information has only the short name. It drops the frames of an address that has no name
// at all.
func (n *namer) setSymbol(address uint64, symbol string) {
	found := n.found[address]
	if len(found) == 0 {
		found = []frame{{}}
	}
	outer := &found[len(found)-1]
	if symbol != "" {
		outer.name, outer.system = demangled(symbol), symbol
	}
	for _, f := range found {
		if f.name == "" {
			delete(n.found, address)
			return
		}
	}
	n.found[address] = found
}
