package object

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"io"
	"iter"
)

// relocationSize is the size of Elf64_Rela, in bytes.
const relocationSize = 24

// Relocation is a word that the dynamic linker writes.
type Relocation struct {
	Address uint64 // of the word
	Type    uint32 // elf.R_X86_64 or elf.R_AARCH64
	Symbol  uint32 // index in the symbol table that the section refers to
	Addend  uint64
}

// RelocationSections returns the sections with relocations for the dynamic linker.
func (f *File) RelocationSections() []*elf.Section {
	var all []*elf.Section
	for _, s := range f.Sections {
		if s.Type == elf.SHT_RELA && s.Flags&elf.SHF_ALLOC != 0 {
			all = append(all, s)
		}
	}
	return all
}

// Relocations iterates over the relocations in the first size bytes of a section. If reading fails,
// the error comes last.
func Relocations(s *elf.Section, size uint64) iter.Seq2[Relocation, error] {
	return func(yield func(Relocation, error) bool) {
		r := bufio.NewReaderSize(io.NewSectionReader(s, 0, int64(min(size, s.FileSize))), 48<<10)
		var raw [relocationSize]byte
		for {
			if _, err := io.ReadFull(r, raw[:]); err == io.EOF || err == io.ErrUnexpectedEOF {
				return
			} else if err != nil {
				yield(Relocation{}, err)
				return
			}
			le := binary.LittleEndian
			if !yield(Relocation{le.Uint64(raw[:]), le.Uint32(raw[8:]), le.Uint32(raw[12:]), le.Uint64(raw[16:])}, nil) {
				return
			}
		}
	}
}
