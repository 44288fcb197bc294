package ehframe

import (
	"bytes"
	"debug/elf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// openSegment reads .eh_frame of an object that has no section of that name.
func openSegment(f *object.File, registers *Registers) (*Section, error) {
	address, size, ok := sectionByHeader(f)
	if !ok && f.SectionsRemoved {
		address, size, ok = sectionByContent(f, registers)
	}
	if !ok {
		return Parse(nil, 0, registers), nil
	}
	if size > maxSection {
		return nil, f.Errorf(".eh_frame has %d bytes; the limit is %d", size, maxSection)
	}
	return newSection(f, loaded{f, address}, size, address, registers), nil
}

// loaded reads what an object contains from an address on.
type loaded struct {
	file  *object.File
	start uint64
}

func (l loaded) ReadAt(b []byte, offset int64) (int, error) {
	return l.file.ReadAddress(b, l.start+uint64(offset))
}

// sectionByHeader returns where .eh_frame is according to .eh_frame_hdr, which has only its address. It
// ends with the last entry in the search table. Without such a table the size is that of the rest of the
// segment; an entry without a length marks the end.
func sectionByHeader(f *object.File) (address, size uint64, ok bool) {
	h, err := readHeader(f)
	if err != nil {
		return 0, 0, false
	}
	_, size, ok = f.Offset(h.section)
	if !ok {
		return 0, 0, false
	}
	t, err := h.searchTable()
	if err != nil {
		return h.section, min(size, maxSection), true
	}
	last := t.lastEntry()
	var raw [12]byte
	n, _ := f.ReadAddress(raw[:], last)
	r := &reader{data: raw[:n]}
	if end := r.length() + uint64(r.at) + last - h.section; last >= h.section && r.err == nil && end < size {
		size = end
	}
	return h.section, size, true
}

// Limits on the search for .eh_frame in an object that has nothing to find it by: static programs of C,
// of some MB.
const (
	maxSearch     = 64 << 20 // bytes of the segments
	maxCandidates = 32       // places that look like the section's first entry
	fewFunctions  = 4        // that the section must describe
)

// firstCIE is how most CIEs begin behind their length: an identifier, the version, and an augmentation
// that begins with z.
var firstCIE = []byte{0, 0, 0, 0, 1, 'z'}

// sectionByContent searches the segments without code, then those with code, for .eh_frame.
func sectionByContent(f *object.File, registers *Registers) (address, size uint64, ok bool) {
	left, candidates := uint64(maxSearch), 0
	buffer := make([]byte, 256<<10)
	for _, flags := range []elf.ProgFlag{0, elf.PF_X} {
		for _, p := range f.Segments {
			if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X != flags || p.Flags&elf.PF_W != 0 {
				continue
			}
			search := min(p.Filesz, left)
			left -= search
			for at := uint64(0); at < search; at += uint64(len(buffer) - 16) {
				n, _ := p.ReadAt(buffer[:min(uint64(len(buffer)), search-at)], int64(at))
				for from := 0; ; {
					i := bytes.Index(buffer[from:n], firstCIE)
					if i < 0 {
						break
					}
					from += i + 1
					start := p.Vaddr + at + uint64(from-1) - 4
					if start%4 != 0 {
						continue
					}
					if candidates++; candidates > maxCandidates {
						return 0, 0, false
					}
					if size, ok := sectionSize(f, start, registers); ok {
						return start, size, true
					}
				}
				if n < len(buffer) {
					break
				}
			}
		}
	}
	return 0, 0, false
}

// sectionSize returns the size of .eh_frame if it begins at an address: its entries follow each other up
// to one without a length, and each describes code or is a CIE.
func sectionSize(f *object.File, address uint64, registers *Registers) (uint64, bool) {
	_, size, ok := f.Offset(address)
	if !ok {
		return 0, false
	}
	size = min(size, maxSection)
	s := newWindowedSection(f, loaded{f, address}, size, address, registers)
	code := f.CodeSegments()
	functions := 0
	for at := uint64(0); ; {
		body, length := s.entryBody(s.entries, at)
		if s.check(functions) != nil || s.Err() != nil || body > size {
			return 0, false
		}
		if length == 0 {
			return body, functions >= fewFunctions
		}
		if length > size-body {
			return 0, false
		}
		isCIE := (&reader{data: s.entries.bytes(body, 4)}).fixed(4) == 0
		if isCIE {
			if s.cies[at] = s.cieAt(at); s.cies[at] == nil {
				return 0, false
			}
		} else {
			entry, c := s.entryAt(at)
			if c == nil {
				return 0, false
			}
			described, ok := parseFDE(&entry, c)
			if entry.err != nil || ok && !code.Contain(described.Start, described.End) {
				return 0, false
			}
			functions++
		}
		at = body + length
	}
}
