package unwind

import (
	"debug/elf"
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// cie is what several functions share: a Common Information Entry (DWARF 5, 6.4.1; for .eh_frame Linux
// Standard Base, Core, 10.6.1).
type cie struct {
	codeAlign    uint64
	dataAlign    int64
	ra           uint64 // number of the return address's register
	encoding     byte   // of addresses
	augmented    bool   // FDEs have augmentation data
	signal       bool   // functions are signal trampolines
	instructions []byte
}

// frameSection reads the section .eh_frame, and gives the functions that it describes.
func frameSection(f *object.File, a *arch) ([]function, error) {
	s := f.Section(".eh_frame")
	if s == nil || s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, nil
	}
	if s.FileSize > maxSection {
		return nil, fmt.Errorf(".eh_frame has %d bytes: %w", s.FileSize, ErrTooLarge)
	}
	data := make([]byte, s.FileSize)
	if n, err := s.ReadAt(data, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read .eh_frame: %w", err)
	} else if n < len(data) {
		data = data[:n]
	}
	return functions(data, s.Addr, a), nil
}

// functions lists the FDEs (Frame Description Entries). What is wrong in one leaves the others.
func functions(data []byte, address uint64, a *arch) []function {
	var all []function
	known := map[int]*cie{}
	for at := 0; at+8 <= len(data); {
		r := &reader{data: data, at: at, address: address}
		length := r.fixed(4)
		if length == 0xffffffff {
			length = r.fixed(8)
		}
		begin := r.at
		body := r.bytes(length)
		if body == nil || length == 0 { // an entry of no length ends the section
			break
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
			c = parseCIE(data, offset, a)
			known[offset] = c
		}
		if c == nil {
			continue
		}
		start := entry.pointer(c.encoding)
		size := entry.pointer(c.encoding & peFormat)
		if c.augmented {
			entry.bytes(entry.uleb())
		}
		if entry.err != nil || size == 0 || start+size < start {
			continue
		}
		instructions := data[entry.at:at]
		all = append(all, function{start, start + size, func(emit func(uint64, Rule)) error {
			return c.run(a, start, instructions, emit)
		}})
	}
	return all
}

// parseCIE gives nil for an entry that is none, or that cannot be read.
func parseCIE(data []byte, offset int, a *arch) *cie {
	r := &reader{data: data, at: offset}
	length := r.fixed(4)
	if length == 0xffffffff {
		length = r.fixed(8)
	}
	begin := r.at
	if r.bytes(length) == nil {
		return nil
	}
	r = &reader{data: data[:begin+int(length)], at: begin}
	if id := r.fixed(4); id != 0 {
		return nil
	}
	version := r.u8()
	augmentation := r.text()
	c := &cie{encoding: peAbsPtr}
	if version == 4 {
		r.bytes(2) // sizes of addresses and segments
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
		case 'R':
			c.encoding = rest.u8()
		case 'P': // the language's handler of exceptions
			rest.pointer(rest.u8() &^ peRelated)
		case 'L':
			rest.u8()
		case 'S':
			c.signal = true
		case 'B': // return addresses are signed with the B key (arm64)
		default:
			return nil
		}
	}
	if r.err != nil || rest.err != nil || c.ra != a.ra || c.encoding == peOmit {
		return nil
	}
	c.instructions = r.data[r.at:]
	return c
}

// text reads a string up to its zero; nobody's augmentation has more than a few letters.
func (r *reader) text() string {
	var s []byte
	for {
		b := r.u8()
		if b == 0 || len(s) > 16 {
			return string(s)
		}
		s = append(s, b)
	}
}
