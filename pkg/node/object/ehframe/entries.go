package ehframe

import (
	"iter"
	"strings"
)

// cie is a Common Information Entry, which several functions share (DWARF 5, 6.4.1; for .eh_frame
// Linux Standard Base, Core, 10.6.1).
type cie struct {
	registers    *Registers
	codeAlign    uint64
	dataAlign    int64
	ra           uint64 // number of the return address's register
	encoding     byte   // of addresses
	augmented    bool   // FDEs have augmentation data
	signal       bool   // its functions are signal trampolines
	instructions []byte
}

// Parse iterates over the functions in the content of a section .eh_frame that is loaded at an
// address. It skips Frame Description Entries (FDEs) that are malformed or unsupported.
func Parse(data []byte, address uint64, registers *Registers) iter.Seq[Function] {
	return func(yield func(Function) bool) {
		known := map[int]*cie{}
		for at := 0; at+8 <= len(data); {
			r := &reader{data: data, at: at, address: address}
			length := r.length()
			begin := r.at
			if r.bytes(length) == nil || length == 0 { // an entry of no length ends the section
				return
			}
			at = r.at
			entry := &reader{data: data[:at], at: begin, address: address}
			back := int(entry.fixed(4)) // from here to the entry's CIE; 0 in a CIE
			if back == 0 {
				continue
			}
			offset := begin - back
			c, ok := known[offset]
			if !ok && offset >= 0 {
				c = cieAt(data, offset, registers)
				known[offset] = c
			}
			if c == nil {
				continue
			}
			if f, ok := parseFDE(entry, c); ok && !yield(f) {
				return
			}
		}
	}
}

// parseFDE parses what follows an FDE's reference to its CIE.
func parseFDE(r *reader, c *cie) (Function, bool) {
	start := r.pointer(c.encoding)
	size := r.pointer(c.encoding & peFormat)
	if c.augmented {
		r.bytes(r.uleb())
	}
	if r.err != nil || size == 0 || start+size < start {
		return Function{}, false
	}
	return Function{start, start + size, c, r.data[r.at:]}, true
}

// cieAt parses the CIE at an offset of the section. It returns nil for one that is not for these
// registers.
func cieAt(data []byte, offset int, registers *Registers) *cie {
	r := &reader{data: data, at: offset}
	c := parseCIE(r.bytes(r.length()))
	if c == nil || c.ra != registers.RA {
		return nil
	}
	c.registers = registers
	return c
}

// parseCIE parses an entry without its length. It returns nil for an entry that is not a CIE or is
// not supported.
func parseCIE(data []byte) *cie {
	r := &reader{data: data}
	if id := r.fixed(4); id != 0 || r.err != nil {
		return nil
	}
	version := r.u8()
	augmentation := r.text()
	c := &cie{encoding: peAbsPtr}
	if version == 4 {
		r.bytes(2) // sizes of an address and of a segment selector
	}
	c.codeAlign, c.dataAlign = r.uleb(), r.sleb()
	if version == 1 {
		c.ra = uint64(r.u8())
	} else {
		c.ra = r.uleb()
	}
	rest := r
	if strings.HasPrefix(augmentation, "z") {
		c.augmented = true
		rest = &reader{data: r.bytes(r.uleb())}
	} else if augmentation != "" {
		return nil
	}
	for _, letter := range strings.TrimPrefix(augmentation, "z") {
		switch letter {
		case 'R': // encoding of addresses
			c.encoding = rest.u8()
		case 'P': // encoding and address of the language's exception handler
			rest.pointer(rest.u8() &^ peRelative)
		case 'L': // encoding of the language's data
			rest.u8()
		case 'S': // signal trampolines
			c.signal = true
		case 'B', 'G': // arm64: return addresses are signed with the B key; frames have memory tags
		default:
			return nil
		}
	}
	if r.err != nil || rest.err != nil || c.encoding == peOmit {
		return nil
	}
	c.instructions = r.data[r.at:]
	return c
}
