package object

import (
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

// maxRelocationSections limits the sections with relocations that are used. Linkers write two:
// .rela.dyn and .rela.plt.
const maxRelocationSections = 16

// RelocationSections returns the sections with relocations for the dynamic linker, at most 16. Those
// of 32-bit objects have another form and are left out.
func (f *File) RelocationSections() []*elf.Section {
	var all []*elf.Section
	if f.Class == elf.ELFCLASS32 {
		return nil
	}
	for _, s := range f.Sections {
		if s.Type == elf.SHT_RELA && s.Flags&elf.SHF_ALLOC != 0 && len(all) < maxRelocationSections {
			all = append(all, s)
		}
	}
	return all
}

// Relocations iterates over the relocations in the first size bytes of a section. If reading fails,
// or the object has exceeded a limit, the error comes last.
func (f *File) Relocations(s *elf.Section, size uint64) iter.Seq2[Relocation, error] {
	return func(yield func(Relocation, error) bool) {
		r := io.NewSectionReader(s, 0, int64(min(size, s.FileSize)))
		chunk := make([]byte, relocationSize*min(2048, 1+uint64(r.Size())/relocationSize))
		for {
			n, err := io.ReadFull(r, chunk)
			if late := f.Step(n / relocationSize); late != nil {
				yield(Relocation{}, late)
				return
			}
			for raw := chunk[:n]; len(raw) >= relocationSize; raw = raw[relocationSize:] {
				if !yield(parseRelocation(raw), nil) {
					return
				}
			}
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return
			}
			if err != nil {
				yield(Relocation{}, err)
				return
			}
		}
	}
}

// parseRelocation decodes an Elf64_Rela: offset, type, symbol, addend.
func parseRelocation(raw []byte) Relocation {
	le := binary.LittleEndian
	return Relocation{le.Uint64(raw), le.Uint32(raw[8:]), le.Uint32(raw[12:]), le.Uint64(raw[16:])}
}
