//go:build linux

package main

import (
	"debug/elf"
	"encoding/binary"
)

// mapTinyFDEs maps code from a file whose call frame information (.eh_frame) has 64 MiB, with one
// entry for each byte of code.
func mapTinyFDEs() (uintptr, error) {
	const at, size = 2 * pageSize, 64 << 20
	word, half := binary.LittleEndian.AppendUint32, binary.LittleEndian.AppendUint16
	// A CIE: version 1, augmentation zR, code and data alignment, return address register, and
	// addresses as absolute numbers of two bytes.
	cie := []byte{0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, udata2}
	frames := append(word(make([]byte, 0, size), uint32(len(cie))), cie...)
	for address := uint16(1); len(frames)+13 < size; address++ {
		frames = word(frames, 9)                   // length
		frames = word(frames, uint32(len(frames))) // distance to the CIE
		frames = append(half(half(frames, address), 1), 0)
	}
	return library{
		size: at + size, data: map[int64][]byte{at: frames}, segments: []elf.Prog64{codeSegment(at + size)},
		sections: []section{{".eh_frame", elf.Section64{
			Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC), Addr: at, Off: at, Size: uint64(len(frames)),
		}}},
	}.mapped("/tmp/fdes.so")
}

const udata2 = 2 // DW_EH_PE_udata2 of the Linux Standard Base, an encoding of addresses
