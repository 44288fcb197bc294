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

	symbolSize   = 24 // bytes of Elf64_Sym
	symbolSize32 = 16 // bytes of Elf32_Sym

	// MaxName is the limit on a symbol's name, in bytes.
	MaxName = 4 << 10
)

// Symbol is an entry of a symbol table.
type Symbol struct {
	Value, Size uint64
	Section     uint16 // index of the section that the symbol is defined in, or one of the special indexes
	Type        elf.SymType
	Bind        elf.SymBind

	names *stringTable
	name  uint32 // offset in names
}

// Symbols iterates over the symbols in the first table of each of the given types, in the order of
// the sections. An object has at most one of each type (System V gABI, "Sections"). The iteration
// ends early if the object exceeds a limit; see Err.
func (f *File) Symbols(types ...elf.SectionType) iter.Seq[Symbol] {
	return func(yield func(Symbol) bool) {
		types := slices.Clone(types)
		for _, table := range f.Sections {
			i := slices.Index(types, table.Type)
			if i < 0 {
				continue
			}
			types = slices.Delete(types, i, i+1)
			if !f.eachSymbol(table, yield) {
				return
			}
		}
	}
}

// eachSymbol reports whether the iteration goes on.
func (f *File) eachSymbol(table *elf.Section, yield func(Symbol) bool) bool {
	names := f.stringTable(table)
	if names == nil {
		return true
	}
	r := bufio.NewReaderSize(io.NewSectionReader(table, 0, int64(min(table.FileSize, maxSymbols*symbolSize))), 48<<10)
	raw := f.symbolBuffer()
	for {
		if _, err := io.ReadFull(r, raw); err != nil {
			return true
		}
		if f.Step(1) != nil {
			return false
		}
		if !yield(parseSymbol(raw, names)) {
			return false
		}
	}
}

// CodeOf returns the executable section in which a symbol is defined. In an object without section headers
// it returns the executable segment. It returns false for symbols of data and of other objects.
func (f *File) CodeOf(s Symbol) (start, end uint64, ok bool) {
	if !f.SectionsRemoved {
		if int(s.Section) >= len(f.Sections) {
			return 0, 0, false
		}
		section := f.Sections[s.Section]
		start, end, ok = section.Addr, section.Addr+section.Size, section.Flags&elf.SHF_EXECINSTR != 0
	} else if s.Section != uint16(elf.SHN_UNDEF) && s.Section < uint16(elf.SHN_LORESERVE) {
		for _, p := range f.Segments {
			if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && s.Value-p.Vaddr < p.Filesz {
				start, end, ok = p.Vaddr, p.Vaddr+p.Filesz, true
			}
		}
	}
	return start, end, ok && s.Value >= start && s.Value < end
}

// symbol returns one entry of a symbol table.
func (f *File) symbol(table *elf.Section, index uint32) (Symbol, bool) {
	names := f.stringTable(table)
	raw := f.symbolBuffer()
	if n, _ := table.ReadAt(raw, int64(len(raw))*int64(index)); n < len(raw) || names == nil {
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

// symbolBuffer returns a buffer for one entry of a symbol table.
func (f *File) symbolBuffer() []byte {
	if f.Class == elf.ELFCLASS32 {
		return make([]byte, symbolSize32)
	}
	return make([]byte, symbolSize)
}

// parseSymbol decodes an Elf64_Sym (name, info, other, section, value, size) or an Elf32_Sym (name,
// value, size, info, other, section).
func parseSymbol(raw []byte, names *stringTable) Symbol {
	le := binary.LittleEndian
	if len(raw) == symbolSize32 {
		return Symbol{
			Value: uint64(le.Uint32(raw[4:])), Size: uint64(le.Uint32(raw[8:])), Section: le.Uint16(raw[14:]),
			Type: elf.ST_TYPE(raw[12]), Bind: elf.ST_BIND(raw[12]), names: names, name: le.Uint32(raw),
		}
	}
	return Symbol{
		Value: le.Uint64(raw[8:]), Size: le.Uint64(raw[16:]), Section: le.Uint16(raw[6:]),
		Type: elf.ST_TYPE(raw[4]), Bind: elf.ST_BIND(raw[4]), names: names, name: le.Uint32(raw),
	}
}

// Named reports whether the symbol has a name.
func (s Symbol) Named() bool { return s.name != 0 }

// Name reads the symbol's name from the file. It is empty if it cannot be read or has more than
// MaxName bytes.
func (s Symbol) Name() string {
	if s.names == nil {
		return ""
	}
	return s.names.text(uint64(s.name))
}

// stringTable reads the names of one symbol table. Names that follow each other are often wanted
// together, so it keeps what it has read last.
type stringTable struct {
	section *elf.Section
	offset  uint64 // of recent in the section
	recent  []byte
	buffer  [1 << 10]byte
}

// stringTable returns the names of a symbol table, or nil if it has none.
func (f *File) stringTable(symbols *elf.Section) *stringTable {
	s := f.linked(symbols)
	if s == nil || s.Type != elf.SHT_STRTAB {
		return nil
	}
	return &stringTable{section: s}
}

// text returns the string at an offset, or "" if it has no end within MaxName bytes.
func (t *stringTable) text(offset uint64) string {
	var text []byte
	for len(text) < MaxName {
		chunk := t.read(offset + uint64(len(text)))
		if end := bytes.IndexByte(chunk, 0); end >= 0 {
			return string(append(text, chunk[:min(end, MaxName-len(text))]...))
		}
		if len(chunk) == 0 {
			break
		}
		text = append(text, chunk...)
	}
	return ""
}

// read returns some of the bytes from an offset on; none beyond the end of the section.
func (t *stringTable) read(offset uint64) []byte {
	if offset >= t.section.FileSize {
		return nil
	}
	if offset < t.offset || offset-t.offset >= uint64(len(t.recent)) {
		n, _ := t.section.ReadAt(t.buffer[:], int64(offset))
		t.offset, t.recent = offset, t.buffer[:n]
	}
	return t.recent[offset-t.offset:]
}
