package symbol

import (
	"debug/elf"
	"io"

	"github.com/google/pprof/profile"
	"github.com/ianlancetaylor/demangle"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/symbol/gopclntab"
)

// demangledLength bounds a demangled name to 4 KiB. Mangled names refer back to parts of themselves, so
// that 200 bytes can stand for gigabytes.
var demangledLength = demangle.MaxLength(12)

// object is an ELF file with what is known of its functions.
type object struct {
	elf     *elf.File
	table   *gopclntab.Table  // nil if it is not Go
	symbols map[uint64]string // ELF symbols of the addresses that were asked for
}

// openObject gives nil for a file that is not ELF.
func openObject(f *proc.File) *object { return newObject(f) }

func newObject(r io.ReaderAt) *object {
	e, err := elf.NewFile(r)
	if err != nil {
		return nil
	}
	o := &object{elf: e, symbols: map[uint64]string{}}
	if table, err := gopclntab.Open(e, r); err == nil {
		o.table = table
	}
	return o
}

// address converts an address of the process to one of the file's own numbering, by the segment that
// the mapping's offset lies in.
func (o *object) address(m *profile.Mapping, address uint64) uint64 {
	offset := address - m.Start + m.Offset
	for _, p := range o.elf.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && offset >= p.Off && offset-p.Off < p.Memsz {
			return offset - p.Off + p.Vaddr
		}
	}
	return offset
}

// prepare looks up the ELF symbols of all sorted addresses that Go's table does not have.
func (o *object) prepare(addresses []uint64) {
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
	for address, name := range nearestSymbols(o.elf, rest) {
		o.symbols[address] = name
	}
}

// frames gives the functions at an address, inlined ones first; none if it is unknown.
func (o *object) frames(address uint64) []frame {
	if o.table != nil {
		if frames := goFrames(o.table, address); len(frames) > 0 {
			return frames
		}
	}
	if name := o.symbols[address]; name != "" {
		return []frame{{name: demangle.Filter(name, demangledLength), system: name}}
	}
	return nil
}
