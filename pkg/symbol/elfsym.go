package symbol

import (
	"bufio"
	"cmp"
	"debug/elf"
	"io"
	"slices"
)

// Bounds on a symbol table: libLLVM has 60,000 symbols, chromium with symbols some 1.5 million.
const (
	maxSymbols    = 4 << 20
	maxSymbolName = 4 << 10
	symbolSize    = 24 // of Elf64_Sym

	// maxSymbolWork bounds the symbols that are read and the matches that are tried in one object, some
	// seconds. A hostile one has many tables, or many symbols that cover all that was sampled.
	maxSymbolWork = 32 << 20
)

// elfSymbol is the symbol that covers an address.
type elfSymbol struct {
	value, size uint64
	name        uint32
	weak, local bool
}

// nearestSymbols finds for each of the sorted addresses the function that covers it, in one pass over
// .symtab and .dynsym: only what was sampled is kept, so a large table costs no memory.
func nearestSymbols(f *elf.File, addresses []uint64) map[uint64]string {
	names, work := map[uint64]string{}, maxSymbolWork
	for _, kind := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
		for _, s := range f.Sections {
			if s.Type != kind || s.Link == 0 || int(s.Link) >= len(f.Sections) {
				continue
			}
			for address, symbol := range scanSymbols(f, s, addresses, &work) {
				if names[address] == "" {
					names[address] = symbolName(f.Sections[s.Link], symbol.name)
				}
			}
		}
	}
	return names
}

// scanSymbols reads one table; it stops early when the work that is left is used up.
func scanSymbols(f *elf.File, s *elf.Section, addresses []uint64, work *int) map[uint64]elfSymbol {
	best := map[uint64]elfSymbol{}
	if s.Flags&elf.SHF_COMPRESSED != 0 || s.Type == elf.SHT_NOBITS {
		return best
	}
	size := min(s.FileSize, maxSymbols*symbolSize)
	r := bufio.NewReaderSize(io.NewSectionReader(s, 0, int64(size)), 48<<10)
	var raw [symbolSize]byte
	for {
		if _, err := io.ReadFull(r, raw[:]); err != nil || *work <= 0 {
			return best
		}
		*work--
		kind := elf.ST_TYPE(raw[4])
		if kind != elf.STT_FUNC && kind != elf.STT_NOTYPE && kind != elf.STT_GNU_IFUNC {
			continue
		}
		section := elf.SectionIndex(f.ByteOrder.Uint16(raw[6:]))
		if section == elf.SHN_UNDEF || section == elf.SHN_ABS {
			continue
		}
		symbol := elfSymbol{
			name: f.ByteOrder.Uint32(raw[:]), value: f.ByteOrder.Uint64(raw[8:]), size: f.ByteOrder.Uint64(raw[16:]),
			weak: elf.ST_BIND(raw[4]) == elf.STB_WEAK, local: elf.ST_BIND(raw[4]) == elf.STB_LOCAL,
		}
		if symbol.name == 0 || kind == elf.STT_NOTYPE && isMappingSymbol(f, s, symbol) {
			continue
		}
		i, _ := slices.BinarySearch(addresses, symbol.value)
		for ; i < len(addresses) && *work > 0; i++ {
			*work--
			if symbol.size > 0 && addresses[i] >= symbol.value+symbol.size {
				break
			}
			known, ok := best[addresses[i]]
			if ok && !better(symbol, known) {
				if symbol.size == 0 && known.value > symbol.value {
					break // the rest belongs to later symbols as well
				}
				continue
			}
			best[addresses[i]] = symbol
		}
	}
}

// isMappingSymbol: arm64 marks code and data by symbols called $x and $d (ELF for the Arm 64-bit
// Architecture, "Mapping symbols").
func isMappingSymbol(f *elf.File, s *elf.Section, symbol elfSymbol) bool {
	if f.Machine != elf.EM_AARCH64 {
		return false
	}
	name := symbolName(f.Sections[s.Link], symbol.name)
	return len(name) > 0 && name[0] == '$'
}

// better prefers the symbol that begins nearer; of several at one place that with a size, then the
// global one, then the strong one, then the first.
func better(a, b elfSymbol) bool {
	return cmp.Or(
		cmp.Compare(a.value, b.value),
		cmp.Compare(min(a.size, 1), min(b.size, 1)),
		-cmp.Compare(boolean(a.local), boolean(b.local)),
		-cmp.Compare(boolean(a.weak), boolean(b.weak)),
	) > 0
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// symbolName reads a string of a string table.
func symbolName(s *elf.Section, offset uint32) string {
	if s.Type != elf.SHT_STRTAB || uint64(offset) >= s.FileSize {
		return ""
	}
	text := make([]byte, min(maxSymbolName, s.FileSize-uint64(offset)))
	n, _ := s.ReadAt(text, int64(offset))
	if end := slices.Index(text[:n], 0); end >= 0 {
		n = end
	}
	return string(text[:n])
}
