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

// symbolSearch finds the symbols that cover the sorted addresses. It keeps at most two candidates
// for each address and no tables. Its time does not depend on the sizes that symbols claim.
type symbolSearch struct {
	addresses []uint64
	// The candidates of an address begin after the address before it. They are the nearest that
	// cover the address.
	sized   []coverage // with a size
	unsized []coverage // without a size
	starts  []uint64   // where the nearest symbol of any kind begins
}

// nearestSymbols returns, by address, the names of the functions that cover the sorted addresses.
// It reads .symtab and .dynsym of all files, which have the same addresses: an object and the files
// that its symbols were moved to.
func nearestSymbols(files []*object.File, addresses []uint64) map[uint64]string {
	s := &symbolSearch{
		addresses: addresses,
		sized:     make([]coverage, len(addresses)), unsized: make([]coverage, len(addresses)),
		starts: make([]uint64, len(addresses)),
	}
	for _, f := range files {
		s.scan(f)
	}
	return s.names()
}

// scan reads the symbol tables of one file.
func (s *symbolSearch) scan(f *object.File) {
	for symbol := range f.Symbols(elf.SHT_SYMTAB, elf.SHT_DYNSYM) {
		if symbol.Type != elf.STT_FUNC && symbol.Type != elf.STT_NOTYPE && symbol.Type != elf.STT_GNU_IFUNC || !symbol.Named() {
			continue
		}
		_, codeEnd, ok := f.CodeOf(symbol)
		if !ok || symbol.Size == 0 && f.SectionsRemoved { // a segment has other functions, too
			continue
		}
		if f.Machine == elf.EM_AARCH64 && symbol.Type == elf.STT_NOTYPE && strings.HasPrefix(symbol.Name(), "$") {
			continue // $x and $d mark code and data (ELF for the Arm 64-bit Architecture, "Mapping symbols")
		}
		end := symbol.Value + min(symbol.Size, codeEnd-symbol.Value)
		if symbol.Size == 0 {
			end = codeEnd
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

// better reports whether a symbol is a better name for a function than another: global rather than
// local, and "write" rather than "__libc_write".
func (s coverage) better(than coverage) bool {
	if local := s.Bind == elf.STB_LOCAL; local != (than.Bind == elf.STB_LOCAL) {
		return !local
	}
	return underscores(s.Name()) < underscores(than.Name())
}

func underscores(s string) int { return len(s) - len(strings.TrimLeft(s, "_")) }

// maxNested limits how many symbols before an address are tried. One may cover it although others
// begin between.
const maxNested = 16

// names returns the name of the nearest symbol that covers an address by its size, or else of the
// last symbol without a size, unless another symbol begins between.
func (s *symbolSearch) names() map[uint64]string {
	names := map[uint64]string{}
	var sized []coverage // of this address and those before it, nearest last
	var unsized, named coverage
	name, start := "", uint64(0) // name is that of named
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
		if found != named { // reading a name takes a system call or more
			named, name = found, found.Name()
		}
		if name != "" {
			names[a] = name
		}
	}
	return names
}
