package object

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"iter"
	"slices"
)

// Limits on symbol tables: libLLVM has 60,000 symbols, Chromium with symbols about 1.5 million.
const (
	maxSymbols = 4 << 20
	symbolSize = 24 // bytes of Elf64_Sym

	// MaxName is the limit on a symbol's name, in bytes.
	MaxName = 4 << 10
)

// Symbol is an entry of a symbol table.
type Symbol struct {
	Value, Size uint64
	Section     uint16 // index of the section that the symbol is defined in, or one of the special indexes
	Type        elf.SymType
	Bind        elf.SymBind

	names *elf.Section
	name  uint32 // offset in names
}

// Symbols iterates over the symbols in all tables of the given types, in the order of the sections.
func (f *File) Symbols(types ...elf.SectionType) iter.Seq[Symbol] {
	return func(yield func(Symbol) bool) {
		for _, table := range f.Sections {
			if slices.Contains(types, table.Type) && !f.eachSymbol(table, yield) {
				return
			}
		}
	}
}

// eachSymbol reports whether the iteration goes on.
func (f *File) eachSymbol(table *elf.Section, yield func(Symbol) bool) bool {
	names := f.linked(table)
	if names == nil || table.Flags&elf.SHF_COMPRESSED != 0 {
		return true
	}
	r := bufio.NewReaderSize(io.NewSectionReader(table, 0, int64(min(table.FileSize, maxSymbols*symbolSize))), 48<<10)
	var raw [symbolSize]byte
	for {
		if _, err := io.ReadFull(r, raw[:]); err != nil {
			return true
		}
		if !yield(parseSymbol(raw, names)) {
			return false
		}
	}
}

// symbol returns one entry of a symbol table.
func (f *File) symbol(table *elf.Section, index uint32) (Symbol, bool) {
	names := f.linked(table)
	var raw [symbolSize]byte
	if n, _ := table.ReadAt(raw[:], symbolSize*int64(index)); n < symbolSize || names == nil {
		return Symbol{}, false
	}
	return parseSymbol(raw, names), true
}

// linked returns the section that a section refers to by its link, or nil.
func (f *File) linked(s *elf.Section) *elf.Section {
	if s.Link == 0 || uint64(s.Link) >= uint64(len(f.Sections)) {
		return nil
	}
	return f.Sections[s.Link]
}

// parseSymbol decodes an Elf64_Sym: name, info, other, section, value, size.
func parseSymbol(raw [symbolSize]byte, names *elf.Section) Symbol {
	le := binary.LittleEndian
	return Symbol{
		Value: le.Uint64(raw[8:]), Size: le.Uint64(raw[16:]), Section: le.Uint16(raw[6:]),
		Type: elf.ST_TYPE(raw[4]), Bind: elf.ST_BIND(raw[4]), names: names, name: le.Uint32(raw[:]),
	}
}

// Named reports whether the symbol has a name.
func (s Symbol) Named() bool { return s.name != 0 }

// Name reads the symbol's name from the file. It is empty if it cannot be read or has more than
// MaxName bytes.
func (s Symbol) Name() string {
	if s.names == nil || s.names.Type != elf.SHT_STRTAB || s.names.Flags&elf.SHF_COMPRESSED != 0 || uint64(s.name) >= s.names.FileSize {
		return ""
	}
	var text []byte
	var chunk [64]byte
	for len(text) < MaxName {
		n, err := s.names.ReadAt(chunk[:], int64(s.name)+int64(len(text)))
		if end := bytes.IndexByte(chunk[:n], 0); end >= 0 {
			return string(append(text, chunk[:end]...))
		}
		text = append(text, chunk[:n]...)
		if err != nil {
			break
		}
	}
	return ""
}
