//go:build linux

package symbol

import (
	"debug/elf"
	"slices"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// coverage is a symbol and the end of the code that it covers.
type coverage struct {
	object.Symbol
	end uint64
}

// symbolSearch finds the symbols that cover the sorted addresses. It keeps two candidates for each
// address and nothing of the tables, and its time does not grow with what a symbol claims to cover.
type symbolSearch struct {
	addresses []uint64
	sized     []coverage // the nearest of those whose first address is this one, and that reach it
	unsized   []coverage
	starts    []uint64 // where the nearest symbol of any kind begins
}

// nearestSymbols finds for each of the sorted addresses the function that covers it, in the .symtab and
// .dynsym of all files. The files have the same addresses: an object and what was split off it.
func nearestSymbols(files []*object.File, addresses []uint64) map[uint64]string {
	s := &symbolSearch{
		addresses: addresses,
		sized:     make([]coverage, len(addresses)), unsized: make([]coverage, len(addresses)),
		starts: make([]uint64, len(addresses)),
	}
	for _, f := range files {
		s.scan(f)
	}
	return s.result()
}

// scan reads the symbol tables of one file.
func (s *symbolSearch) scan(f *object.File) {
	for symbol := range f.Symbols(elf.SHT_SYMTAB, elf.SHT_DYNSYM) {
		if symbol.Type != elf.STT_FUNC && symbol.Type != elf.STT_NOTYPE && symbol.Type != elf.STT_GNU_IFUNC ||
			int(symbol.Section) >= len(f.Sections) {
			continue
		}
		section := f.Sections[symbol.Section]
		within := symbol.Value - section.Addr
		if section.Flags&elf.SHF_EXECINSTR == 0 || within >= section.Size || !symbol.Named() {
			continue
		}
		if f.Machine == elf.EM_AARCH64 && symbol.Type == elf.STT_NOTYPE && strings.HasPrefix(symbol.Name(), "$") {
			continue // $x and $d mark code and data (ELF for the Arm 64-bit Architecture, "Mapping symbols")
		}
		end := symbol.Value + min(symbol.Size, section.Size-within)
		if symbol.Size == 0 {
			end = section.Addr + section.Size
		}
		s.add(coverage{symbol, end})
	}
}

func (s *symbolSearch) add(symbol coverage) {
	i, _ := slices.BinarySearch(s.addresses, symbol.Value)
	if i == len(s.addresses) {
		return
	}
	s.starts[i] = max(s.starts[i], symbol.Value)
	if s.addresses[i] >= symbol.end {
		return
	}
	best := &s.unsized[i]
	if symbol.Size > 0 {
		best = &s.sized[i]
	}
	if !best.Named() || symbol.Value > best.Value || symbol.Value == best.Value && symbol.better(*best) {
		*best = symbol
	}
}

// better chooses among several names of one function: "write" rather than "__libc_write".
func (s coverage) better(than coverage) bool {
	if local := s.Bind == elf.STB_LOCAL; local != (than.Bind == elf.STB_LOCAL) {
		return !local
	}
	return underscores(s.Name()) < underscores(than.Name())
}

func underscores(s string) int { return len(s) - len(strings.TrimLeft(s, "_")) }

// maxNested bounds how far back a symbol is looked for that reaches beyond later ones.
const maxNested = 16

// result goes by the symbol that covers an address with its size; else by the last one without a size,
// unless another one begins between.
func (s *symbolSearch) result() map[uint64]string {
	names := map[uint64]string{}
	var sized []coverage // of this address and those before it, nearest last
	var unsized coverage
	start := uint64(0)
	for i, a := range s.addresses {
		start = max(start, s.starts[i])
		if s.sized[i].Named() {
			sized = append(sized, s.sized[i])
		}
		if s.unsized[i].Named() {
			unsized = s.unsized[i]
		}
		found := coverage{}
		if unsized.Value == start && a < unsized.end {
			found = unsized
		}
		for _, symbol := range slices.Backward(sized[max(0, len(sized)-maxNested):]) {
			if a < symbol.end {
				found = symbol
				break
			}
		}
		if !found.Named() {
			continue
		}
		if name := found.Name(); name != "" {
			names[a] = name
		}
	}
	return names
}
