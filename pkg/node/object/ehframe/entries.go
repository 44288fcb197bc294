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
	initial      Row   // after the instructions
	err          error // of the instructions
}

// Functions iterates over the functions that the section describes, in its order. It skips Frame
// Description Entries (FDEs) that are malformed or unsupported. If the section exceeds a limit, the
// error comes last.
func (s *Section) Functions() iter.Seq2[Function, error] {
	return func(yield func(Function, error) bool) {
		functions := 0
		for at := uint64(0); at+8 <= s.Size(); {
			begin := at
			body, length := s.entryBody(s.entries, begin)
			if length == 0 || length > s.Size()-body { // an entry of no length ends the section
				break
			}
			at = body + length
			if err := s.check(functions); err != nil {
				yield(Function{}, err)
				return
			}
			entry, c := s.entryAt(begin)
			if c == nil {
				continue
			}
			f, ok := parseFDE(&entry, c)
			if !ok {
				continue
			}
			functions++
			f.Entry = uint32(begin)
			if !yield(f, nil) {
				return
			}
		}
		if err := s.Err(); err != nil {
			yield(Function{}, err)
		}
	}
}

// check counts an entry. It returns an error if the section has more functions or CIEs than the limits.
func (s *Section) check(functions int) error {
	if functions == maxFunctions {
		return s.file.Errorf(".eh_frame describes more than %d functions", maxFunctions)
	}
	if len(s.cies) > maxCIEs {
		return s.file.Errorf(".eh_frame has more than %d CIEs", maxCIEs)
	}
	return s.file.Step(4) // decoding an entry takes as long as some instructions
}

// entryBody returns the offset of what follows the length of the entry at an offset, and that
// length. Both are 0 beyond the section.
func (s *Section) entryBody(w *window, offset uint64) (body, length uint64) {
	length = (&reader{data: w.bytes(offset, 4)}).fixed(4)
	if length == 0xffffffff {
		return offset + 12, (&reader{data: w.bytes(offset+4, 8)}).fixed(8)
	}
	return offset + 4, length
}

// entryAt returns a reader of what follows an FDE's reference to its CIE, and that CIE. The CIE is
// nil if there is no FDE at the offset, or one whose CIE is not supported. The reader is valid until
// the next call.
func (s *Section) entryAt(offset uint64) (reader, *cie) {
	begin, length := s.entryBody(s.entries, offset)
	if length > maxEntry {
		return reader{}, nil
	}
	entry := reader{data: s.entries.bytes(begin, length), address: s.address + begin}
	back := entry.fixed(4) // from here to the entry's CIE; 0 in a CIE
	if back == 0 || back > begin || entry.err != nil {
		return entry, nil
	}
	c, ok := s.cies[begin-back]
	if !ok {
		c = s.cieAt(begin - back)
		s.cies[begin-back] = c
	}
	return entry, c
}

// parseFDE parses what follows an FDE's reference to its CIE, up to its instructions.
func parseFDE(r *reader, c *cie) (Function, bool) {
	start := r.pointer(c.encoding)
	size := r.pointer(c.encoding & peFormat)
	if c.augmented {
		r.bytes(r.uleb())
	}
	if r.err != nil || size == 0 || start+size < start {
		return Function{}, false
	}
	return Function{Start: start, End: start + size}, true
}

// cieAt parses the CIE at an offset and executes its instructions. It returns nil for one that is
// not for the section's registers.
func (s *Section) cieAt(offset uint64) *cie {
	begin, length := s.entryBody(s.shared, offset)
	if length > maxEntry {
		return nil
	}
	c := parseCIE(s.shared.bytes(begin, length))
	if c == nil || c.ra != s.registers.RA {
		return nil
	}
	c.registers = s.registers
	m := &machine{cie: c, emit: func(Row) {}}
	if c.err = s.file.Step(len(c.instructions)); c.err == nil {
		c.err = m.execute(c.instructions)
	}
	c.initial, c.instructions = m.now, nil
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
