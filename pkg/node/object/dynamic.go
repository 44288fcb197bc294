package object

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"io"
)

// Limits on what is read of an object's PT_DYNAMIC segment and its hash tables. libLLVM has 40 entries
// and 20,000 buckets.
const (
	maxDynamic = 1 << 12 // entries
	maxBuckets = 1 << 20
)

// dynamicEntrySize is the size of Elf64_Dyn, in bytes.
const dynamicEntrySize = 16

// Indexes of the sections that recoverSections returns.
const (
	recoveredNull = iota
	recoveredStrings
	recoveredSymbols
	recoveredRelocations
	recoveredPLTRelocations
)

// recoverSections returns the sections that the dynamic linker uses, as PT_DYNAMIC describes them, of an
// object without section headers: llvm-objcopy --strip-sections, objcopy --strip-section-headers and
// sstrip remove those (System V gABI, "Dynamic Section"). It returns nil if there is no such segment.
func (f *File) recoverSections() []*elf.Section {
	values := f.dynamicEntries()
	if len(values) == 0 {
		return nil
	}
	all := make([]*elf.Section, 5)
	section := func(name string, typ elf.SectionType, address, size uint64, link uint32) *elf.Section {
		s := &elf.Section{SectionHeader: elf.SectionHeader{Name: name, Type: elf.SHT_NULL}, ReaderAt: unreadable{}}
		offset, available, ok := f.Offset(address)
		if address == 0 || size == 0 || !ok {
			return s
		}
		size = min(size, available)
		s.SectionHeader = elf.SectionHeader{
			Name: name, Type: typ, Flags: elf.SHF_ALLOC, Addr: address, Offset: offset, Size: size, FileSize: size, Link: link,
		}
		s.ReaderAt = io.NewSectionReader(f.reader, int64(offset), int64(size))
		return s
	}
	all[recoveredNull] = section("", elf.SHT_NULL, 0, 0, 0)
	all[recoveredStrings] = section(".dynstr", elf.SHT_STRTAB, values[elf.DT_STRTAB], values[elf.DT_STRSZ], 0)
	symbolBytes := symbolSize * f.countDynamicSymbols(values)
	all[recoveredSymbols] = section(".dynsym", elf.SHT_DYNSYM, values[elf.DT_SYMTAB], symbolBytes, recoveredStrings)
	all[recoveredRelocations] = section(".rela.dyn", elf.SHT_RELA, values[elf.DT_RELA], values[elf.DT_RELASZ], recoveredSymbols)
	all[recoveredPLTRelocations] = section(".rela.plt", elf.SHT_RELA, values[elf.DT_JMPREL], values[elf.DT_PLTRELSZ], recoveredSymbols)
	return all
}

// dynamicEntries returns the values in PT_DYNAMIC by their tags. Of a tag that occurs several times it
// returns the last value.
func (f *File) dynamicEntries() map[elf.DynTag]uint64 {
	values := map[elf.DynTag]uint64{}
	for _, p := range f.Segments {
		if p.Type != elf.PT_DYNAMIC {
			continue
		}
		raw := make([]byte, min(p.Filesz, maxDynamic*dynamicEntrySize))
		n, _ := p.ReadAt(raw, 0)
		for raw = raw[:n]; len(raw) >= dynamicEntrySize; raw = raw[dynamicEntrySize:] {
			tag := elf.DynTag(binary.LittleEndian.Uint64(raw))
			if tag == elf.DT_NULL {
				break
			}
			values[tag] = binary.LittleEndian.Uint64(raw[8:])
		}
		break
	}
	return values
}

// countDynamicSymbols returns the number of symbols that an object's hash table covers. If it has none, it
// returns the number that have room before the strings, which linkers place behind them.
func (f *File) countDynamicSymbols(values map[elf.DynTag]uint64) uint64 {
	if n, ok := f.countHashed(values[elf.DT_HASH]); ok {
		return n
	}
	if n, ok := f.countGNUHashed(values[elf.DT_GNU_HASH]); ok {
		return n
	}
	if symbols, names := values[elf.DT_SYMTAB], values[elf.DT_STRTAB]; names > symbols {
		return min((names-symbols)/symbolSize, maxSymbols)
	}
	return 0
}

// countHashed returns the number of symbols in a DT_HASH table, whose second word it is.
func (f *File) countHashed(address uint64) (uint64, bool) {
	var head [8]byte
	if _, err := f.ReadAddress(head[:], address); address == 0 || err != nil {
		return 0, false
	}
	n := binary.LittleEndian.Uint32(head[4:])
	return uint64(n), n <= maxSymbols
}

// countGNUHashed returns one more than the greatest symbol number in a DT_GNU_HASH table: numbers of
// buckets, of the first symbol, of Bloom words, a shift; Bloom words of 8 bytes; buckets, each with the
// number of its first symbol; a word for each symbol, whose lowest bit marks the last of a bucket
// (sysdeps/generic/dl-hash.h and elf/dl-lookup.c of glibc).
func (f *File) countGNUHashed(address uint64) (uint64, bool) {
	order := binary.LittleEndian
	var head [16]byte
	if _, err := f.ReadAddress(head[:], address); address == 0 || err != nil {
		return 0, false
	}
	buckets, first, bloom := order.Uint32(head[:]), order.Uint32(head[4:]), order.Uint32(head[8:])
	if buckets > maxBuckets || first > maxSymbols {
		return 0, false
	}
	at := address + 16 + 8*uint64(bloom)
	raw := make([]byte, 4*buckets)
	if _, err := f.ReadAddress(raw, at); err != nil {
		return 0, false
	}
	last := uint32(0)
	for ; len(raw) > 0; raw = raw[4:] {
		last = max(last, order.Uint32(raw))
	}
	if last < first {
		return 0, false // all buckets are empty, and undefined symbols are in none
	}
	offset, size, ok := f.Offset(at + 4*uint64(buckets) + 4*uint64(last-first))
	if !ok {
		return 0, false
	}
	chain := bufio.NewReaderSize(io.NewSectionReader(f.reader, int64(offset), int64(size)), 512)
	for ; last < maxSymbols && f.Step(1) == nil; last++ {
		var hash [4]byte
		if _, err := io.ReadFull(chain, hash[:]); err != nil {
			return 0, false
		}
		if order.Uint32(hash[:])&1 != 0 {
			return uint64(last) + 1, true
		}
	}
	return 0, false
}
