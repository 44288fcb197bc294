package debuginfo

import (
	"bytes"
	"errors"
)

// Limits on what debug/dwarf allocates, in addition to the sections, for what these claim.
const (
	maxUnits       = 100_000
	maxAbbrevBytes = 4 << 20 // of all tables of abbreviations; one that several units share counts once
	maxLineBytes   = 8 << 20 // of one unit's line program
	maxLineNames   = 1 << 18 // directories or files of one unit
	maxLinePaths   = 1 << 28 // bytes of the paths that all of a unit's bytes could make
	maxAttributes  = 1 << 8  // of one entry
	maxString      = 1 << 16 // bytes of one string, which each use copies; names in C++ have thousands
)

var errHostile = errors.New("debugging information claims more than it can contain")

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
		if r.short || unit.short || units == maxUnits {
			return errHostile
		}
		if seen[offset] || offset >= uint64(len(abbrev)) {
			continue
		}
		seen[offset] = true
		if size += abbrevSize(abbrev[offset:]); size > maxAbbrevBytes {
			return errHostile
		}
	}
	return nil
}

// abbrevSize returns the size of a table of abbreviations, in bytes. An entry has a code, a tag, a
// flag for children, then pairs of attribute and form. The size of a table with too many attributes
// is above the limit.
func abbrevSize(table []byte) uint64 {
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
				return maxAbbrevBytes + 1
			}
		}
	}
	return uint64(len(table) - len(r.data))
}

// checkStrings refuses a section with a string that is too long.
func checkStrings(section []byte) error {
	for len(section) > maxString {
		end := bytes.IndexByte(section[:maxString], 0)
		if end < 0 {
			return errHostile
		}
		section = section[end+1:]
	}
	return nil
}

// checkLines walks the header of a unit's line program (DWARF 5, 6.2.4). Every 6 bytes of the
// program can make a path that begins with the longest directory.
func checkLines(lines []byte, offset int64, strings map[uint64][]byte) error {
	if offset < 0 || offset >= int64(len(lines)) {
		return errHostile
	}
	r := reader{data: lines[offset:]}
	n, long := r.length()
	if n > maxLineBytes {
		return errHostile
	}
	r.data = r.bytes(n)
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
	longest, files := uint64(0), uint64(0)
	if version >= 5 {
		r.list(long, strings, func(directory uint64) { longest = max(longest, directory) })
		r.list(long, strings, func(file uint64) { files += file })
	} else {
		for directory := r.text(); directory > 0; directory = r.text() {
			longest = max(longest, directory)
		}
	}
	if r.short || longest > maxString || longest*(n/6)+files > maxLinePaths {
		return errHostile
	}
	return nil
}

// list skips a list of directories or files, which has pairs of content and form, a count, and
// values of those forms. It calls visit with the length of each value that is a string, and with 0
// for others.
func (r *reader) list(long bool, strings map[uint64][]byte, visit func(length uint64)) {
	forms := make([]uint64, r.uint8())
	for i := range forms {
		r.uvarint()
		forms[i] = r.uvarint()
	}
	count := r.uvarint()
	if count > maxLineNames {
		r.short = true
	}
	for i := uint64(0); i < count && !r.short; i++ {
		for _, form := range forms {
			visit(r.value(form, long, strings))
		}
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
