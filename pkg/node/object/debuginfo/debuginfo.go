// Package debuginfo opens the DWARF of an object, which is not trusted: it checks what the standard
// library's debug/dwarf would allocate memory for. Its entry point is Open. It must not depend on
// what is looked up.
package debuginfo

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// maxSize is the limit on the debugging information that is in memory for one object, in bytes,
// decompressed. Package debug/dwarf needs all of a file, and the profiler has 80 MB for everything.
const maxSize = 40 << 20

// maxRanges is the limit on a section with ranges, in bytes. They are a twentieth of the debugging
// information of C++ programs. An entry may refer to all of them, and package debug/dwarf then makes
// up to six times their size of it.
const maxRanges = 6 << 20

// Info is the debugging information of an object.
type Info struct {
	file     *object.File
	data     *dwarf.Data
	sections map[string][]byte // by name, without ".debug_"
	size     uint64            // of the sections, and of those of the shared file
}

// Names of sections. The first are arguments of dwarf.New, the others are added by their names.
var (
	sectionNames      = []string{"abbrev", "info", "line", "ranges", "str"}
	addedSectionNames = []string{"addr", "line_str", "rnglists", "str_offsets"}
)

// ErrNone is returned for an object without debugging information.
var ErrNone = errors.New("no debugging information")

// Open reads the debugging information of an object. Errors name the object, ErrNone excepted.
func Open(f *object.File) (*Info, error) {
	return open(f, maxSize)
}

// open opens at most limit bytes of debugging information.
func open(f *object.File, limit uint64) (*Info, error) {
	sections, size, err := readSections(f, "", limit)
	if err != nil {
		return nil, err
	}
	return newInfo(f, sections, size)
}

// newInfo checks the sections before debug/dwarf parses them.
func newInfo(f *object.File, sections map[string][]byte, size uint64) (*Info, error) {
	if err := cmp.Or(
		checkUnits(sections["info"], sections["abbrev"]), checkStrings(sections["str"]), checkStrings(sections["line_str"]),
	); err != nil {
		return nil, f.Errorf("its debugging information is not read: %w", err)
	}
	data, err := dwarf.New(sections["abbrev"], nil, nil, sections["info"], sections["line"], nil, sections["ranges"], sections["str"])
	for _, name := range addedSectionNames {
		if err == nil {
			err = data.AddSection(".debug_"+name, sections[name])
		}
	}
	if err != nil {
		return nil, f.Errorf("%w", err)
	}
	return &Info{f, data, sections, size}, nil
}

// readSections reads the sections whose names end with a suffix, and decompresses them. It returns
// an error if they have more than limit bytes together.
func readSections(f *object.File, suffix string, limit uint64) (sections map[string][]byte, size uint64, _ error) {
	sections = map[string][]byte{}
	for _, name := range slices.Concat(sectionNames, addedSectionNames) {
		left := limit - size
		ranges := name == "ranges" || name == "rnglists"
		if ranges {
			left = min(left, maxRanges)
		}
		data, err := readSection(f, name+suffix, left)
		if errors.Is(err, object.ErrTooLarge) && !ranges {
			return nil, 0, f.Errorf("its debugging information is not read, because the limit is %d MiB for an object "+
				"and its other files; compiled with -g1 it has much less", maxSize>>20)
		}
		if err != nil {
			return nil, 0, err
		}
		size += uint64(len(data))
		sections[name] = data
	}
	if len(sections["info"]) == 0 {
		return nil, 0, ErrNone
	}
	return sections, size, nil
}

// readSection reads .debug_NAME or, as GNU's tools compressed it before there was a standard,
// .zdebug_NAME. It returns nil if there is neither.
func readSection(f *object.File, name string, limit uint64) ([]byte, error) {
	for _, prefix := range []string{".debug_", ".zdebug_"} {
		if s := f.Section(prefix + name); s != nil && s.Type != elf.SHT_NOBITS {
			return f.ReadSection(s, limit)
		}
	}
	return nil, nil
}

// Reader returns a reader of all entries.
func (i *Info) Reader() *dwarf.Reader { return i.data.Reader() }

// Ranges returns the ranges of addresses that an entry covers.
func (i *Info) Ranges(e *dwarf.Entry) ([][2]uint64, error) { return i.data.Ranges(e) }

// lineBytesPerStep is how many bytes of a line table are counted as a step.
const lineBytesPerStep = 4

// Lines returns a reader of a compilation unit's line table. It is nil if the unit has no table.
func (i *Info) Lines(unit *dwarf.Entry) (*dwarf.LineReader, error) {
	if offset, ok := unit.Val(dwarf.AttrStmtList).(int64); ok {
		strings := map[uint64][]byte{formStrp: i.sections["str"], formLineStrp: i.sections["line_str"]}
		compDir, _ := unit.Val(dwarf.AttrCompDir).(string)
		if err := checkLines(i.sections["line"], offset, compDir, strings); err != nil {
			return nil, fmt.Errorf("a line table is not read: %w", err)
		}
		// Many units may share one line table.
		if err := i.file.Step(int(lineLength(i.sections["line"][offset:])) / lineBytesPerStep); err != nil {
			return nil, err
		}
	}
	return i.data.LineReader(unit)
}
