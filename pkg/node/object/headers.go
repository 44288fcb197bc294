package object

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits on the headers of an object, all of which debug/elf reads into memory. Programs have about
// 10 segments and 40 sections with names of 15 bytes.
const (
	maxSegments     = 1 << 8
	maxSections     = 1 << 12
	maxSectionNames = 1 << 20 // bytes of the section with the names, and bytes of the names of all sections
)

// ErrNotELF is what Open returns for a file that is not an object, or one for a big-endian machine.
var ErrNotELF = errors.New("not an ELF object for a little-endian machine")

// headers is a copy of what debug/elf parses. It makes sure that debug/elf parses what was checked,
// even if the file is changed between.
type headers struct {
	source io.ReaderAt
	parts  []headerPart
}

type headerPart struct {
	offset int64
	data   []byte
}

// ReadAt returns the copy of what was checked, and reads everything else from the file.
func (h *headers) ReadAt(b []byte, offset int64) (int, error) {
	for _, p := range h.parts {
		if within := offset - p.offset; within >= 0 && within <= int64(len(p.data)-len(b)) {
			return copy(b, p.data[within:]), nil
		}
	}
	return h.source.ReadAt(b, offset)
}

// read reads n bytes at an offset and keeps them.
func (h *headers) read(offset uint64, n int) ([]byte, error) {
	data := make([]byte, n)
	if int64(offset) < 0 {
		return nil, ErrNotELF
	}
	if got, err := h.source.ReadAt(data, int64(offset)); got < n {
		return nil, cmp.Or(err, io.ErrUnexpectedEOF)
	}
	h.parts = append(h.parts, headerPart{int64(offset), data})
	return data, nil
}

// readHeaders reads and checks what debug/elf allocates memory for: it would allocate whatever a
// sparse file claims to contain.
func readHeaders(r io.ReaderAt) (*headers, error) {
	headers := &headers{source: r}
	ident, err := headers.read(0, binary.Size(elf.Header64{})) // no object is smaller, those of 32 bits included
	if err != nil {
		return nil, cmp.Or(ignoreEOF(err), ErrNotELF)
	}
	if string(ident[:4]) != elf.ELFMAG || elf.Data(ident[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, ErrNotELF
	}
	switch elf.Class(ident[elf.EI_CLASS]) {
	case elf.ELFCLASS64:
		return headers, readTables(headers, func(h elf.Header64) tables {
			return tables{h.Phoff, h.Shoff, h.Phnum, h.Phentsize, h.Shnum, h.Shentsize, h.Shstrndx}
		}, binary.Size(elf.Prog64{}), func(s elf.Section64) section {
			return section{s.Name, s.Flags, s.Off, s.Size}
		})
	case elf.ELFCLASS32:
		return headers, readTables(headers, func(h elf.Header32) tables {
			return tables{uint64(h.Phoff), uint64(h.Shoff), h.Phnum, h.Phentsize, h.Shnum, h.Shentsize, h.Shstrndx}
		}, binary.Size(elf.Prog32{}), func(s elf.Section32) section {
			return section{s.Name, uint64(s.Flags), uint64(s.Off), uint64(s.Size)}
		})
	}
	return nil, ErrNotELF
}

// tables has the fields of an ELF header that locate the tables of segments and sections.
type tables struct {
	phoff, shoff                                 uint64
	phnum, phentsize, shnum, shentsize, shstrndx uint16
}

// section has the fields of a section header that are checked.
type section struct {
	name                uint32
	flags, offset, size uint64
}

// readTables reads the headers of segments and sections. H and S are the types of the header and of
// a section header.
func readTables[H, S any](headers *headers, tablesOf func(H) tables, segmentSize int, sectionOf func(S) section) error {
	var header H
	if err := binary.Read(bytes.NewReader(headers.parts[0].data), binary.LittleEndian, &header); err != nil {
		return err
	}
	h := tablesOf(header)
	if h.phnum > maxSegments || h.shnum > maxSections || h.shoff != 0 && h.shnum == 0 {
		return fmt.Errorf("an ELF object with %d segments and %d sections (0: more than 65,279); the limits are %d and %d",
			h.phnum, h.shnum, maxSegments, maxSections)
	}
	sectionSize := binary.Size(*new(S))
	if h.phnum > 0 && int(h.phentsize) != segmentSize || h.shnum > 0 && int(h.shentsize) != sectionSize {
		return fmt.Errorf("an ELF object with program headers of %d bytes and section headers of %d bytes", h.phentsize, h.shentsize)
	}
	if _, err := headers.read(h.phoff, int(h.phnum)*segmentSize); err != nil {
		return fmt.Errorf("read program headers: %w", err)
	}
	raw, err := headers.read(h.shoff, int(h.shnum)*sectionSize)
	if err != nil {
		if ignoreEOF(err) == nil { // only debuggers need them, and the end of the file may have been cut off
			headers.removeSections()
			return nil
		}
		return fmt.Errorf("read section headers: %w", err)
	}
	all := make([]S, h.shnum)
	if err := binary.Read(bytes.NewReader(raw), binary.LittleEndian, all); err != nil {
		return err
	}
	if int(h.shstrndx) >= len(all) || h.shstrndx == 0 {
		return nil // debug/elf reads no names
	}
	sections := make([]section, len(all))
	for i := range all {
		sections[i] = sectionOf(all[i])
	}
	return headers.readNames(sections, sections[h.shstrndx])
}

// removeSections clears the offset and the number of section headers, and the index of that with the
// names, in the copy of the ELF header (System V gABI, "ELF Header").
func (h *headers) removeSections() {
	header := h.parts[0].data
	if elf.Class(header[elf.EI_CLASS]) == elf.ELFCLASS32 {
		clear(header[0x20:0x24])
		clear(header[0x30:0x34])
		return
	}
	clear(header[0x28:0x30])
	clear(header[0x3c:0x40])
}

func ignoreEOF(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// readNames reads the section with the names of all sections. It refuses names that are too long
// together, because sections may share a long one, of which debug/elf makes copies.
func (h *headers) readNames(sections []section, names section) error {
	if names.size > maxSectionNames || elf.SectionFlag(names.flags)&elf.SHF_COMPRESSED != 0 {
		return fmt.Errorf("the section names have %d bytes, or are compressed; the limit is %d", names.size, maxSectionNames)
	}
	text, err := h.read(names.offset, int(names.size))
	if err != nil {
		return fmt.Errorf("read section names: %w", err)
	}
	total := 0
	for _, s := range sections {
		if uint64(s.name) < names.size {
			total += max(0, bytes.IndexByte(text[s.name:], 0))
		}
		if total > maxSectionNames {
			return fmt.Errorf("the names of the sections have more than %d bytes together", maxSectionNames)
		}
	}
	return nil
}
