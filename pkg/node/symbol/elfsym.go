//go:build linux

package symbol

import (
	"bufio"
	"bytes"
	"debug/elf"
	"io"
	"slices"
	"strings"
)

// Bounds on a symbol table: libLLVM has 60,000 symbols, chromium with symbols some 1.5 million.
const (
	maxSymbols    = 4 << 20
	maxSymbolName = 4 << 10
	symbolSize    = 24 // of Elf64_Sym
)

// elfSymbol is a function of a symbol table.
type elfSymbol struct {
	start, end uint64
	names      *elf.Section
	name       uint32
	local      bool
}

// symbolSearch finds the symbols that cover the sorted addresses. It keeps two candidates for each
// address and nothing of the tables, and its time does not grow with what a symbol claims to cover.
type symbolSearch struct {
	addresses []uint64
	sized     []elfSymbol // the nearest of those whose first address is this one, and that reach it
	unsized   []elfSymbol
	starts    []uint64 // where the nearest symbol of any kind begins
}

// nearestSymbols finds for each of the sorted addresses the function that covers it, in the .symtab and
// .dynsym of all files. The files have the same addresses: an object and what was split off it.
func nearestSymbols(files []*elf.File, addresses []uint64) map[uint64]string {
	s := &symbolSearch{
		addresses: addresses,
		sized:     make([]elfSymbol, len(addresses)), unsized: make([]elfSymbol, len(addresses)),
		starts: make([]uint64, len(addresses)),
	}
	for _, f := range files {
		for _, section := range f.Sections {
			if section.Type == elf.SHT_SYMTAB || section.Type == elf.SHT_DYNSYM {
				s.scan(f, section)
			}
		}
	}
	return s.result()
}

// scan reads one symbol table.
func (s *symbolSearch) scan(f *elf.File, table *elf.Section) {
	if table.Link == 0 || uint64(table.Link) >= uint64(len(f.Sections)) || table.Flags&elf.SHF_COMPRESSED != 0 {
		return
	}
	names := f.Sections[table.Link]
	r := bufio.NewReaderSize(io.NewSectionReader(table, 0, int64(min(table.FileSize, maxSymbols*symbolSize))), 48<<10)
	var raw [symbolSize]byte
	for {
		if _, err := io.ReadFull(r, raw[:]); err != nil {
			return
		}
		kind, index := elf.ST_TYPE(raw[4]), uint64(f.ByteOrder.Uint16(raw[6:]))
		if kind != elf.STT_FUNC && kind != elf.STT_NOTYPE && kind != elf.STT_GNU_IFUNC || index >= uint64(len(f.Sections)) {
			continue
		}
		symbol := elfSymbol{
			start: f.ByteOrder.Uint64(raw[8:]), names: names, name: f.ByteOrder.Uint32(raw[:]),
			local: elf.ST_BIND(raw[4]) == elf.STB_LOCAL,
		}
		section, size := f.Sections[index], f.ByteOrder.Uint64(raw[16:])
		within := symbol.start - section.Addr
		if section.Flags&elf.SHF_EXECINSTR == 0 || within >= section.Size || symbol.name == 0 {
			continue
		}
		symbol.end = symbol.start + min(size, section.Size-within)
		if f.Machine == elf.EM_AARCH64 && kind == elf.STT_NOTYPE && strings.HasPrefix(symbol.text(), "$") {
			continue // $x and $d mark code and data (ELF for the Arm 64-bit Architecture, "Mapping symbols")
		}
		if size == 0 {
			symbol.end = section.Addr + section.Size
		}
		s.add(symbol, size > 0)
	}
}

func (s *symbolSearch) add(symbol elfSymbol, sized bool) {
	i, _ := slices.BinarySearch(s.addresses, symbol.start)
	if i == len(s.addresses) {
		return
	}
	s.starts[i] = max(s.starts[i], symbol.start)
	if s.addresses[i] >= symbol.end {
		return
	}
	best := &s.unsized[i]
	if sized {
		best = &s.sized[i]
	}
	if best.names == nil || symbol.start > best.start || symbol.start == best.start && symbol.better(*best) {
		*best = symbol
	}
}

// better chooses among several names of one function: "write" rather than "__libc_write".
func (s elfSymbol) better(than elfSymbol) bool {
	if s.local != than.local {
		return than.local
	}
	return underscores(s.text()) < underscores(than.text())
}

func underscores(s string) int { return len(s) - len(strings.TrimLeft(s, "_")) }

// maxNested bounds how far back a symbol is looked for that reaches beyond later ones.
const maxNested = 16

// result goes by the symbol that covers an address with its size; else by the last one without a size,
// unless another one begins between.
func (s *symbolSearch) result() map[uint64]string {
	names := map[uint64]string{}
	var sized []elfSymbol // of this address and those before it, nearest last
	var unsized elfSymbol
	start := uint64(0)
	for i, a := range s.addresses {
		start = max(start, s.starts[i])
		if s.sized[i].names != nil {
			sized = append(sized, s.sized[i])
		}
		if s.unsized[i].names != nil {
			unsized = s.unsized[i]
		}
		found := elfSymbol{}
		if unsized.start == start && a < unsized.end {
			found = unsized
		}
		for _, symbol := range slices.Backward(sized[max(0, len(sized)-maxNested):]) {
			if a < symbol.end {
				found = symbol
				break
			}
		}
		if found.names == nil {
			continue
		}
		if name := found.text(); name != "" {
			names[a] = name
		}
	}
	return names
}

// text reads the symbol's name.
func (s elfSymbol) text() string {
	if s.names.Type != elf.SHT_STRTAB || s.names.Flags&elf.SHF_COMPRESSED != 0 || uint64(s.name) >= s.names.FileSize {
		return ""
	}
	var text []byte
	var chunk [64]byte
	for len(text) < maxSymbolName {
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
