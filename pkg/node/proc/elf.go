//go:build linux

package proc

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds on the headers of an object, all of which package elf reads into memory. Programs have some
// 10 segments and 40 sections.
const (
	maxSegments     = 1 << 10
	maxSections     = 1 << 14
	maxSectionNames = 4 << 20 // bytes
)

var errNotELF = errors.New("not an ELF object for a 64-bit machine")

// OpenELF reads the headers of a 64-bit object that is not trusted: package elf alone would fill
// our memory with what a sparse file claims to have.
func OpenELF(r io.ReaderAt) (*elf.File, error) {
	var h elf.Header64
	if err := binary.Read(io.NewSectionReader(r, 0, 64), binary.LittleEndian, &h); err != nil {
		return nil, errNotELF
	}
	if string(h.Ident[:4]) != elf.ELFMAG || elf.Class(h.Ident[elf.EI_CLASS]) != elf.ELFCLASS64 ||
		elf.Data(h.Ident[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, errNotELF
	}
	if h.Phnum > maxSegments || h.Shnum > maxSections || h.Shoff != 0 && h.Shnum == 0 {
		return nil, fmt.Errorf("an ELF object with %d segments and %d sections (0: more than 65,279)", h.Phnum, h.Shnum)
	}
	if h.Shnum > 0 {
		var names elf.Section64
		at := int64(h.Shoff) + int64(h.Shstrndx)*int64(h.Shentsize)
		if err := binary.Read(io.NewSectionReader(r, at, 64), binary.LittleEndian, &names); err != nil {
			return nil, fmt.Errorf("read the section with the sections' names: %w", err)
		}
		if names.Size > maxSectionNames || elf.SectionFlag(names.Flags)&elf.SHF_COMPRESSED != 0 {
			return nil, fmt.Errorf("the sections' names have %d bytes, or are compressed", names.Size)
		}
	}
	return elf.NewFile(r)
}
