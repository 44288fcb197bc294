//go:build linux

package symbol

import (
	"bytes"
	"io"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// namer is an object with what is known of its functions.
type namer struct {
	file   *object.File
	code   object.CodeSegments
	table  *gopclntab.Table   // nil if it is not Go
	found  map[uint64][]frame // of the addresses that were asked for and are not in Go's table
	starts map[uint64]uint64  // first addresses of functions, by addresses without any frames
	debug  func() *proc.File  // opens the file with its symbols, if they are in another one
}

// openObject gives nil for a file that is not ELF.
func openObject(f *proc.File) *namer {
	o := newObject(f)
	if o != nil {
		o.debug = func() *proc.File { return openDebugFile(f, o.file) }
	}
	return o
}

// vdso is the code that the kernel puts into every process; nil if it cannot be read.
func vdso() *namer {
	code := proc.VDSO()
	if code == nil {
		return nil
	}
	return newObject(bytes.NewReader(code))
}

func newObject(r io.ReaderAt) *namer {
	f, err := object.Open(r)
	if err != nil {
		return nil
	}
	o := &namer{file: f, code: f.CodeSegments(), found: map[uint64][]frame{}, debug: func() *proc.File { return nil }}
	if table, err := gopclntab.Open(f); err == nil {
		o.table = table
	}
	return o
}

// address converts an address of the process to one of the file's own numbering, by the segment that
// the mapping's offset lies in.
func (o *namer) address(m *profile.Mapping, address uint64) uint64 {
	offset := address - m.Start + m.Offset
	if a, ok := o.code.Address(offset); ok {
		return a
	}
	return offset
}

// prepare looks up those of the sorted addresses that Go's table does not have, all at once: symbols and
// debugging information are read in one pass and not kept.
func (o *namer) prepare(addresses []uint64) {
	var rest []uint64
	for _, a := range addresses {
		if o.table != nil {
			if _, _, err := o.table.Entry(a); err == nil {
				continue
			}
		}
		rest = append(rest, a)
	}
	if len(rest) == 0 {
		return
	}
	files := []*object.File{o.file}
	if debug := o.debug(); debug != nil {
		defer debug.Close()
		if f, err := object.Open(debug); err == nil {
			files = append(files, f)
		}
	}
	if mini := o.file.MiniDebugInfo(); mini != nil {
		files = append(files, mini)
	}
	names := nearestSymbols(files, rest)
	for _, f := range files {
		// An error leaves what was found; names are there without it.
		frames, _ := dwarfFrames(f, rest)
		for a, found := range frames {
			if len(o.found[a]) == 0 {
				o.found[a] = found
			}
		}
	}
	stubs := o.file.StubTargets(rest)
	var unknown []uint64
	for _, a := range rest {
		if target := stubs[a]; target != "" {
			o.found[a] = []frame{{name: demangled(target) + "@plt", system: target + "@plt"}} // as objdump has it
			continue
		}
		if o.name(a, names[a]); len(o.found[a]) == 0 {
			unknown = append(unknown, a)
		}
	}
	o.starts = ehframe.Starts(o.file, unknown)
}

// name gives the outermost function of an address the name that the symbol table has: of C++'s static
// functions debugging information has but the short one. What stays without any name is dropped.
func (o *namer) name(address uint64, symbol string) {
	found := o.found[address]
	if len(found) == 0 {
		found = []frame{{}}
	}
	outer := &found[len(found)-1]
	if symbol != "" {
		outer.name, outer.system = demangled(symbol), symbol
	}
	for _, f := range found {
		if f.name == "" {
			delete(o.found, address)
			return
		}
	}
	o.found[address] = found
}

// frames gives the functions at an address, inlined ones first; none if it is unknown.
func (o *namer) frames(address uint64) []frame {
	if o.table != nil {
		if frames := goFrames(o.table, address); len(frames) > 0 {
			return frames
		}
	}
	return o.found[address]
}
