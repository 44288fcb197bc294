//go:build linux

package main

import "debug/elf"

// mapSparse maps code from a sparse file of 10 GB. Its symbol tables have 9 GB and name themselves
// as their string tables.
func mapSparse() (uintptr, error) {
	const size = 10 << 30
	table := elf.Section64{Off: pageSize, Size: 9 << 30, Entsize: elf.Sym64Size}
	symtab, dynsym := table, table
	symtab.Type, symtab.Link = uint32(elf.SHT_SYMTAB), 1
	dynsym.Type, dynsym.Link = uint32(elf.SHT_DYNSYM), 2
	return library{
		size: size, segments: []elf.Prog64{codeSegment(size)}, sections: []section{{".symtab", symtab}, {".dynsym", dynsym}},
	}.mapped("/tmp/sparse.so")
}
