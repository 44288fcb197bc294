//go:build linux

package main

import (
	"bytes"
	"debug/elf"
)

// mapOverlappingCode maps code from a file that takes 70 KiB of the disk. Its 1,000 executable
// segments are all the same 16 MiB, which a reader of each segment reads a thousand times.
func mapOverlappingCode() (uintptr, error) {
	l := library{size: 20 << 20}
	for i := range uint64(1000) {
		s := codeSegment(16 << 20)
		s.Vaddr = i << 25
		l.segments = append(l.segments, s)
	}
	return l.mapped("/tmp/overlapping-code.so")
}

// mapOverlappingTables maps code from a file of 2 MiB. It claims to be a Go program, and its 1,023
// segments are all the same 1 MiB, which looks at every eighth byte like the start of Go's function
// table.
func mapOverlappingTables() (uintptr, error) {
	const size = 1 << 20
	start := []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8} // the header of a pclntab since Go 1.20
	l := library{
		size: 2 * size,
		data: map[int64][]byte{size: bytes.Repeat(start, size/len(start)), 2 * pageSize: buildInfo()},
		sections: []section{
			{".rodata", elf.Section64{Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC), Addr: size, Off: size, Size: 1023 * size}},
			{".go.buildinfo", elf.Section64{Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC), Addr: 2 * pageSize, Off: 2 * pageSize, Size: 64}},
		},
		segments: []elf.Prog64{codeSegment(size)},
	}
	for i := range uint64(1022) {
		l.segments = append(l.segments, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R), Off: size, Vaddr: (i + 1) * size, Filesz: size, Memsz: size})
	}
	return l.mapped("/tmp/overlapping-tables.so")
}

// buildInfo returns the build information of a Go program (debug/buildinfo).
func buildInfo() []byte {
	const version = "go1.22.0"
	b := make([]byte, 32)
	copy(b, "\xff Go buildinf:\x08\x02")
	return append(append(append(b, byte(len(version))), version...), 0, 0, 0, 0)
}
