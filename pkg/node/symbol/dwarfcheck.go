//go:build linux

package symbol

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Bounds on what package debug/dwarf allocates, beyond the sections themselves, for what they claim.
const (
	maxUnits       = 100_000
	maxAbbrevBytes = 4 << 20 // of all tables of abbreviations; one that several units share counts once
	maxLineBytes   = 8 << 20 // of one unit's line program
	maxLineNames   = 1 << 18 // directories or files of one unit
	maxLinePaths   = 1 << 28 // bytes of the paths that all of a unit's bytes could make
	maxAttributes  = 1 << 8  // of one entry
	maxText        = 1 << 16 // bytes of one string, each use of which is a copy; names in C++ reach thousands
)

var errHostileDWARF = errors.New("debugging information that claims more than it can hold")

// dwarfBytes reads sections of debugging information; what is not there reads as 0 and sets short.
type dwarfBytes struct {
	data  []byte
	order binary.ByteOrder
	short bool
}

func (b *dwarfBytes) take(n uint64) []byte {
	if n > uint64(len(b.data)) {
		b.short, b.data = true, nil
		return make([]byte, 8)
	}
	taken := b.data[:n]
	b.data = b.data[n:]
	return taken
}

func (b *dwarfBytes) uint8() byte    { return b.take(1)[0] }
func (b *dwarfBytes) uint16() uint16 { return b.order.Uint16(b.take(2)) }

// word is an offset or length: 8 bytes in the 64-bit form, else 4.
func (b *dwarfBytes) word(long bool) uint64 {
	if long {
		return b.order.Uint64(b.take(8))
	}
	return uint64(b.order.Uint32(b.take(4)))
}

// length reads what every unit begins with (DWARF 5, section 7.4).
func (b *dwarfBytes) length() (n uint64, long bool) {
	if n = b.word(false); n == 0xffffffff {
		return b.word(true), true
	}
	return n, false
}

// uvarint reads a LEB128 number, one with a sign too where its value does not matter.
func (b *dwarfBytes) uvarint() (value uint64) {
	for shift := 0; !b.short; shift += 7 {
		c := b.uint8()
		if shift < 64 {
			value |= uint64(c&0x7f) << shift
		}
		if c < 0x80 {
			break
		}
	}
	return value
}

// text passes over a string that ends with a zero byte, and gives its length.
func (b *dwarfBytes) text() (length uint64) {
	for !b.short && b.uint8() != 0 {
		length++
	}
	return length
}

// checkUnits walks the units' headers (DWARF 5, section 7.5.1) and the abbreviations that they refer to.
func checkUnits(info, abbrev []byte, order binary.ByteOrder) error {
	seen, size := map[uint64]bool{}, uint64(0)
	b := dwarfBytes{data: info, order: order}
	for units := 0; len(b.data) > 0; units++ {
		n, long := b.length()
		unit := dwarfBytes{data: b.take(n), order: order}
		offset := uint64(0)
		if unit.uint16() >= 5 {
			unit.take(2) // type and size of an address
		}
		offset = unit.word(long)
		if b.short || unit.short || units == maxUnits {
			return errHostileDWARF
		}
		if seen[offset] || offset >= uint64(len(abbrev)) {
			continue
		}
		seen[offset] = true
		if size += abbrevBytes(abbrev[offset:], order); size > maxAbbrevBytes {
			return errHostileDWARF
		}
	}
	return nil
}

// abbrevBytes is the size of a table of abbreviations: code, tag, children, then pairs of attribute and form.
// One with too many attributes has no size that is accepted.
func abbrevBytes(table []byte, order binary.ByteOrder) uint64 {
	const formImplicitConst = 0x21
	b := dwarfBytes{data: table, order: order}
	for b.uvarint() != 0 && !b.short {
		b.uvarint()
		b.uint8()
		for attributes := 0; !b.short; attributes++ {
			attribute, form := b.uvarint(), b.uvarint()
			if form == formImplicitConst {
				b.uvarint()
			}
			if attribute == 0 && form == 0 {
				break
			}
			if attributes == maxAttributes {
				return maxAbbrevBytes + 1
			}
		}
	}
	return uint64(len(table) - len(b.data))
}

// checkTexts looks for strings without an end.
func checkTexts(section []byte) error {
	for len(section) > maxText {
		end := bytes.IndexByte(section[:maxText], 0)
		if end < 0 {
			return errHostileDWARF
		}
		section = section[end+1:]
	}
	return nil
}

// checkLines walks the header of a unit's line program (DWARF 5, section 6.2.4). The program can make a path
// of a directory with each 6 of its bytes.
func checkLines(lines []byte, offset int64, order binary.ByteOrder, texts map[uint64][]byte) error {
	if offset < 0 || offset >= int64(len(lines)) {
		return errHostileDWARF
	}
	b := dwarfBytes{data: lines[offset:], order: order}
	n, long := b.length()
	if n > maxLineBytes {
		return errHostileDWARF
	}
	b.data = b.take(n)
	version := b.uint16()
	if version >= 5 {
		b.take(2) // sizes of an address and of a segment selector
	}
	b.word(long) // length of the header
	if version >= 4 {
		b.take(1) // operations of an instruction
	}
	b.take(4) // shortest instruction, default, and how lines are counted
	b.take(uint64(max(1, b.uint8()) - 1))
	longest, files := uint64(0), uint64(0)
	if version >= 5 {
		b.list(long, texts, func(directory uint64) { longest = max(longest, directory) })
		b.list(long, texts, func(file uint64) { files += file })
	} else {
		for directory := b.text(); directory > 0; directory = b.text() {
			longest = max(longest, directory)
		}
	}
	if b.short || longest > maxText || longest*(n/6)+files > maxLinePaths {
		return errHostileDWARF
	}
	return nil
}

// list passes over directories or files: pairs of content and form, their number, and values of those forms.
func (b *dwarfBytes) list(long bool, texts map[uint64][]byte, visit func(text uint64)) {
	forms := make([]uint64, b.uint8())
	for i := range forms {
		b.uvarint()
		forms[i] = b.uvarint()
	}
	count := b.uvarint()
	if count > maxLineNames {
		b.short = true
	}
	for i := uint64(0); i < count && !b.short; i++ {
		for _, form := range forms {
			visit(b.value(form, long, texts))
		}
	}
}

// value passes over a value of the forms that a line program's header may have (DWARF 5, section 7.5.6), and
// gives the length of a text.
func (b *dwarfBytes) value(form uint64, long bool, texts map[uint64][]byte) uint64 {
	switch form {
	case formString:
		return b.text()
	case formStrp, formLineStrp:
		offset, section := b.word(long), texts[form]
		if offset < uint64(len(section)) {
			return uint64(max(0, bytes.IndexByte(section[offset:], 0)))
		}
	case 0x0f: // udata
		b.uvarint()
	case 0x0b: // data1
		b.take(1)
	case 0x05: // data2
		b.take(2)
	case 0x06: // data4
		b.take(4)
	case 0x07: // data8
		b.take(8)
	case 0x1e: // data16
		b.take(16)
	case 0x09: // block
		b.take(b.uvarint())
	default:
		b.short = true
	}
	return 0
}

// Forms of text: in place, in .debug_str, in .debug_line_str.
const (
	formString   = 0x08
	formStrp     = 0x0e
	formLineStrp = 0x1f
)
