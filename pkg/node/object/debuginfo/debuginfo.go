// Package debuginfo opens the DWARF of an object, which is not trusted: it checks what the standard
// library's debug/dwarf would allocate memory for. Its entry point is Open. It must not depend on
// what is looked up.
package debuginfo

import (
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// maxSize is the limit on debugging information, in bytes, decompressed. Package debug/dwarf needs
// all of it in memory, and the profiler has 80 MB for everything.
const maxSize = 40 << 20

// Info is the debugging information of an object.
type Info struct {
	data     *dwarf.Data
	sections map[string][]byte // by name, without ".debug_"
}

// Names of sections. The first are arguments of dwarf.New, the others are added by their names.
var (
	sectionNames      = []string{"abbrev", "info", "line", "ranges", "str"}
	addedSectionNames = []string{"addr", "line_str", "rnglists", "str_offsets"}
)

// Open reads the debugging information of an object.
func Open(f *object.File) (*Info, error) {
	sections, err := readSections(f)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(
		checkUnits(sections["info"], sections["abbrev"]), checkStrings(sections["str"]), checkStrings(sections["line_str"]),
	); err != nil {
		return nil, err
	}
	data, err := dwarf.New(sections["abbrev"], nil, nil, sections["info"], sections["line"], nil, sections["ranges"], sections["str"])
	if err != nil {
		return nil, err
	}
	for _, name := range addedSectionNames {
		if err := data.AddSection(".debug_"+name, sections[name]); err != nil {
			return nil, err
		}
	}
	return &Info{data, sections}, nil
}

// readSections reads the sections and decompresses them.
func readSections(f *object.File) (map[string][]byte, error) {
	sections, total := map[string][]byte{}, uint64(0)
	for _, name := range slices.Concat(sectionNames, addedSectionNames) {
		s := f.Section(".debug_" + name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		// s.Size is what a compressed section claims to have after decompression; no more is read.
		if total += s.Size; s.Size > maxSize || total > maxSize {
			return nil, fmt.Errorf("more than %d bytes of debugging information", maxSize)
		}
		data := make([]byte, s.Size) // s.Data would grow it step by step, up to twice the size
		if _, err := io.ReadFull(s.Open(), data); err != nil {
			return nil, fmt.Errorf("section .debug_%s: %w", name, err)
		}
		sections[name] = data
	}
	if len(sections["info"]) == 0 {
		return nil, errors.New("no debugging information")
	}
	return sections, nil
}

// Reader returns a reader of all entries.
func (i *Info) Reader() *dwarf.Reader { return i.data.Reader() }

// Ranges returns the ranges of addresses that an entry covers.
func (i *Info) Ranges(e *dwarf.Entry) ([][2]uint64, error) { return i.data.Ranges(e) }

// Lines returns a reader of a compilation unit's line table. It is nil if the unit has no table or
// one that is refused.
func (i *Info) Lines(unit *dwarf.Entry) (*dwarf.LineReader, error) {
	if offset, ok := unit.Val(dwarf.AttrStmtList).(int64); ok {
		strings := map[uint64][]byte{formStrp: i.sections["str"], formLineStrp: i.sections["line_str"]}
		if checkLines(i.sections["line"], offset, strings) != nil {
			return nil, nil
		}
	}
	return i.data.LineReader(unit)
}
