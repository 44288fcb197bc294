package debuginfo

import (
	"bytes"
	"errors"
	"fmt"
)

// Limits on what debug/dwarf allocates, in addition to the sections, for what these claim.
const (
	maxUnits       = 100_000
	maxAbbrevBytes = 4 << 20  // of all tables of abbreviations; one that several units share counts once
	maxLineBytes   = 8 << 20  // of one unit's line program
	maxLineNames   = 1 << 18  // directories or files of one unit
	maxLinePaths   = 16 << 20 // bytes of the paths of one unit; 10,000 files in directories of 200 bytes take 3 MB
	maxAttributes  = 1 << 8   // of one entry
	maxString      = 1 << 16  // bytes of one string, which each use copies; names in C++ have thousands
)

// errCut is the error of what is longer than its section, or has a form that is not known.
var errCut = errors.New("it is cut off or malformed")

// checkUnits walks the headers of the units (DWARF 5, 7.5.1) and the abbreviations that they refer to.
func checkUnits(info, abbrev []byte) error {
	seen, size := map[uint64]bool{}, uint64(0)
	r := reader{data: info}
	for units := 0; len(r.data) > 0; units++ {
		n, long := r.length()
		unit := reader{data: r.bytes(n)}
		if unit.uint16() >= 5 {
			unit.bytes(2) // type, and size of an address
		}
		offset := unit.word(long)
		if r.short || unit.short {
			return errCut
		}
		if units == maxUnits {
			return fmt.Errorf("it has more than %d units, the limit", maxUnits)
		}
		if seen[offset] || offset >= uint64(len(abbrev)) {
			continue
		}
		seen[offset] = true
		n, err := abbrevSize(abbrev[offset:])
		if err != nil {
			return err
		}
		if size += n; size > maxAbbrevBytes {
			return fmt.Errorf("its tables of abbreviations have more than %d bytes, the limit", maxAbbrevBytes)
		}
	}
	return nil
}

// abbrevSize returns the size of a table of abbreviations, in bytes. An entry has a code, a tag, a
// flag for children, then pairs of attribute and form.
func abbrevSize(table []byte) (uint64, error) {
	const formImplicitConst = 0x21
	r := reader{data: table}
	for r.uvarint() != 0 && !r.short {
		r.uvarint()
		r.uint8()
		for attributes := 0; !r.short; attributes++ {
			attribute, form := r.uvarint(), r.uvarint()
			if form == formImplicitConst {
				r.uvarint()
			}
			if attribute == 0 && form == 0 {
				break
			}
			if attributes == maxAttributes {
				return 0, fmt.Errorf("an entry has more than %d attributes, the limit", maxAttributes)
			}
		}
	}
	return uint64(len(table) - len(r.data)), nil
}

// checkStrings refuses a section with a string that is too long.
func checkStrings(section []byte) error {
	for len(section) > maxString {
		end := bytes.IndexByte(section[:maxString], 0)
		if end < 0 {
			return fmt.Errorf("a string has more than %d bytes, the limit", maxString)
		}
		section = section[end+1:]
	}
	return nil
}

// checkLines walks the header of a unit's line program (DWARF 5, 6.2.4). It refuses the program if
// the paths of its files could take too much memory: each begins with a directory, which before
// DWARF 5 begins with the unit's, compDir.
func checkLines(lines []byte, offset int64, compDir string, strings map[uint64][]byte) error {
	if offset < 0 || offset >= int64(len(lines)) {
		return errCut
	}
	r := reader{data: lines[offset:]}
	n, long := r.length()
	if n > maxLineBytes {
		return fmt.Errorf("it has more than %d bytes, the limit", maxLineBytes)
	}
	r.data = r.bytes(n)
	files := definedFiles(r.data)
	version := r.uint16()
	if version >= 5 {
		r.bytes(2) // sizes of an address and of a segment selector
	}
	r.word(long) // length of the header
	if version >= 4 {
		r.bytes(1) // operations of an instruction
	}
	r.bytes(4)                             // shortest instruction, default, base and range of lines
	r.bytes(uint64(max(1, r.uint8()) - 1)) // numbers of operands
	longest, texts := uint64(0), uint64(0)
	addDirectory := func(length uint64) {
		longest = max(longest, length)
		if texts += length; texts > maxLinePaths {
			r.refuse()
		}
	}
	addFile := func(name uint64) {
		files++
		if texts += name; texts > maxLinePaths || files > maxLineNames {
			r.refuse()
		}
	}
	if version >= 5 {
		// Directories that begin with another directory would grow with each. Compilers write none.
		r.list(long, strings, false, addDirectory)
		r.list(long, strings, true, addFile)
	} else {
		addDirectory(uint64(len(compDir)))
		for name := r.text(); name > 0; name = r.text() {
			addDirectory(uint64(len(compDir)) + name)
		}
		for name := r.text(); name > 0; name = r.text() {
			addFile(name)
			for range 3 { // directory, time, size
				r.uvarint()
			}
		}
	}
	const bytesPerFile = 64 // of a dwarf.LineFile and the pointer to it
	if r.refused || !r.short && texts+files*(longest+bytesPerFile) > maxLinePaths {
		return fmt.Errorf("it has more than %d files or directories, or paths of more than %d bytes, the limits",
			maxLineNames, maxLinePaths)
	}
	if r.short {
		return errCut
	}
	return nil
}

// definedFiles returns how many files the instructions of a line program can define at most. The
// instruction has a zero byte, the length of the rest, its code, a name and three numbers (DWARF 4,
// 6.2.5.3).
func definedFiles(program []byte) (files uint64) {
	const defineFile, shortest = 3, 6
	for i, c := range program {
		if c != 0 {
			continue
		}
		r := reader{data: program[i+1:]}
		if n := r.uvarint(); n >= shortest && r.uint8() == defineFile {
			files++
		}
	}
	return files
}

// lineLength returns the length of the line program at the start of lines, in bytes.
func lineLength(lines []byte) uint64 {
	r := reader{data: lines}
	n, _ := r.length()
	return min(n, maxLineBytes)
}

// list skips a list of directories or files, which has pairs of content and form, a count, and
// values of those forms. It calls visit with the length of the strings of each entry. An entry may
// refer to a directory only if inDirectory is set.
func (r *reader) list(long bool, strings map[uint64][]byte, inDirectory bool, visit func(length uint64)) {
	const contentDirectory = 2 // DW_LNCT_directory_index
	forms := make([]uint64, r.uint8())
	for i := range forms {
		if content := r.uvarint(); content == contentDirectory && !inDirectory {
			r.short = true
		}
		forms[i] = r.uvarint()
	}
	count := r.uvarint()
	if count > maxLineNames {
		r.refuse()
	}
	for i := uint64(0); i < count && !r.short; i++ {
		length := uint64(0)
		for _, form := range forms {
			length += r.value(form, long, strings)
		}
		visit(length)
	}
}

// Forms of strings: in place, in .debug_str, in .debug_line_str (DWARF 5, 7.5.6).
const (
	formString   = 0x08
	formStrp     = 0x0e
	formLineStrp = 0x1f
)

// value skips a value of a form that may occur in the header of a line program (DWARF 5, 7.5.6). It
// returns the length of a string, 0 for other values.
func (r *reader) value(form uint64, long bool, strings map[uint64][]byte) uint64 {
	switch form {
	case formString:
		return r.text()
	case formStrp, formLineStrp:
		offset, section := r.word(long), strings[form]
		if offset < uint64(len(section)) {
			return uint64(max(0, bytes.IndexByte(section[offset:], 0)))
		}
	case 0x0f: // udata
		r.uvarint()
	case 0x0b: // data1
		r.bytes(1)
	case 0x05: // data2
		r.bytes(2)
	case 0x06: // data4
		r.bytes(4)
	case 0x07: // data8
		r.bytes(8)
	case 0x1e: // data16
		r.bytes(16)
	case 0x09: // block
		r.bytes(r.uvarint())
	default:
		r.short = true
	}
	return 0
}
