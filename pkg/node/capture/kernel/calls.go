//go:build linux

package kernel

import "encoding/binary"

// calls reports whether machine code of the kernel at an address calls or jumps to a function,
// directly. Kernel code reaches other functions of the kernel itself in no other way.
func calls(arch string, code []byte, address, function uint64) bool {
	switch arch {
	case "amd64":
		// Instructions have no fixed size, so each byte is tried as an opcode. Four other bytes that
		// happen to point at the function are very unlikely.
		for i := 0; i+5 <= len(code); i++ {
			if code[i] != 0xe8 && code[i] != 0xe9 { // call rel32, jmp rel32
				continue
			}
			offset := int32(binary.LittleEndian.Uint32(code[i+1:]))
			if isEntry(address+uint64(i)+5+uint64(int64(offset)), function) {
				return true
			}
		}
	case "arm64":
		for i := 0; i+4 <= len(code); i += 4 {
			instruction := binary.LittleEndian.Uint32(code[i:])
			if instruction&0x7c000000 != 0x14000000 { // B, BL imm26
				continue
			}
			offset := int64(int32(instruction<<6)) >> 4 // in bytes
			if isEntry(address+uint64(i)+uint64(offset), function) {
				return true
			}
		}
	}
	return false
}

// isEntry reports whether a call to an address enters a function. With call depth tracking (Linux
// 6.2) kernels call the padding of up to 16 bytes before a function, and a call may skip the
// instruction that marks the target of indirect calls.
func isEntry(address, function uint64) bool { return address+16 >= function && address <= function+8 }

// loadsAt reports whether arm64 code loads 4 bytes at an offset from a register: LDR Wt, [Xn, #imm].
func loadsAt(code []byte, offset uint32) bool {
	for i := 0; i+4 <= len(code); i += 4 {
		instruction := binary.LittleEndian.Uint32(code[i:])
		if instruction&0xffc00000 == 0xb9400000 && instruction>>10&0xfff*4 == offset {
			return true
		}
	}
	return false
}
