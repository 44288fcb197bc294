//go:build linux

package main

import (
	"debug/elf"
	"strings"
)

// mapLongSymbol maps code with 1,000 addresses that all belong to one C++ symbol of 4 kB, which
// takes most of a second to demangle: a pack expansion with 500 qualifiers of 1,000 types.
func mapLongSymbol() (uintptr, error) {
	const symbols, names = 3 * pageSize, 4 * pageSize
	name := "\x00_Z1fIJ" + strings.Repeat("i", 1000) + "EEv" + strings.Repeat("DpRK", 500) + "T_\x00"
	symbol := elf.Sym64{Name: 1, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Shndx: 1, Value: codeOffset, Size: pageSize}
	return library{
		size: names + 2*pageSize, nops: 1000, segments: []elf.Prog64{codeSegment(symbols)},
		data: map[int64][]byte{symbols: encode([]elf.Sym64{{}, symbol}), names: []byte(name)},
		sections: []section{
			{".text", elf.Section64{Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC | elf.SHF_EXECINSTR), Addr: codeOffset, Off: codeOffset, Size: pageSize}},
			{".symtab", elf.Section64{Type: uint32(elf.SHT_SYMTAB), Off: symbols, Size: 2 * elf.Sym64Size, Link: 3, Entsize: elf.Sym64Size}},
			{".strtab", elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: names, Size: uint64(len(name))}},
		},
	}.mapped("/tmp/long-symbol.so")
}

// mapManySymbolTables maps code from a file whose 16,000 symbol tables are all the same 96 MiB of a
// hole.
func mapManySymbolTables() (uintptr, error) {
	const at, size = 1 << 20, 96 << 20
	l := library{size: at + size, segments: []elf.Prog64{codeSegment(at)}}
	for range 16000 {
		l.sections = append(l.sections, section{"", elf.Section64{Type: uint32(elf.SHT_SYMTAB), Off: at, Size: size, Link: 1, Entsize: elf.Sym64Size}})
	}
	return l.mapped("/tmp/symbol-tables.so")
}
