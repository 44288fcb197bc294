// Package object reads ELF objects: sections, segments, symbols, relocations, build IDs and stubs.
// Its entry point is Open. The objects belong to the target and are not trusted, so every size is
// bounded. The package must not depend on processes or profiles, and it works on any operating
// system.
package object

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// File is an object for a 64-bit little-endian machine. It does not own what it was opened from.
type File struct {
	Type     elf.Type
	Machine  elf.Machine
	Sections []*elf.Section
	Segments []*elf.Prog

	reader io.ReaderAt
}

// Limits on the headers of an object, all of which debug/elf reads into memory. Programs have about
// 10 segments and 40 sections.
const (
	maxSegments     = 1 << 10
	maxSections     = 1 << 14
	maxSectionNames = 4 << 20 // bytes
)

var errNotELF = errors.New("not an ELF object for a 64-bit little-endian machine")

// Open reads the headers of an object. It refuses those that claim unreasonable sizes, because
// debug/elf would allocate whatever a sparse file claims to contain.
func Open(r io.ReaderAt) (*File, error) {
	source := &reader{r}
	if err := checkHeaders(source); err != nil {
		return nil, err
	}
	f, err := elf.NewFile(source)
	if err != nil {
		return nil, err
	}
	return &File{Type: f.Type, Machine: f.Machine, Sections: f.Sections, Segments: f.Progs, reader: source}, nil
}

// checkHeaders checks what debug/elf allocates memory for.
func checkHeaders(r io.ReaderAt) error {
	var h elf.Header64
	if err := binary.Read(io.NewSectionReader(r, 0, 64), binary.LittleEndian, &h); err != nil {
		return errNotELF
	}
	if string(h.Ident[:4]) != elf.ELFMAG || elf.Class(h.Ident[elf.EI_CLASS]) != elf.ELFCLASS64 ||
		elf.Data(h.Ident[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return errNotELF
	}
	if h.Phnum > maxSegments || h.Shnum > maxSections || h.Shoff != 0 && h.Shnum == 0 {
		return fmt.Errorf("an ELF object with %d segments and %d sections (0: more than 65,279)", h.Phnum, h.Shnum)
	}
	if h.Shnum == 0 {
		return nil
	}
	var names elf.Section64
	at := int64(h.Shoff) + int64(h.Shstrndx)*int64(h.Shentsize)
	if err := binary.Read(io.NewSectionReader(r, at, 64), binary.LittleEndian, &names); err != nil {
		return fmt.Errorf("read the header of the section with section names: %w", err)
	}
	if names.Size > maxSectionNames || elf.SectionFlag(names.Flags)&elf.SHF_COMPRESSED != 0 {
		return fmt.Errorf("the section names have %d bytes, or are compressed", names.Size)
	}
	return nil
}

// reader is what all reads of an object go through.
type reader struct{ io.ReaderAt }

// ReadAt reads at an offset in the file, as io.ReaderAt.
func (f *File) ReadAt(b []byte, offset int64) (int, error) { return f.reader.ReadAt(b, offset) }

// Section returns the first section of a name, or nil.
func (f *File) Section(name string) *elf.Section {
	for _, s := range f.Sections {
		if s.Name == name {
			return s
		}
	}
	return nil
}
