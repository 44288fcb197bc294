//go:build linux

package golang

import (
	"debug/elf"
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"
)

// reference is an address of data in machine code, as an address in the file.
type reference struct {
	address uint64
	// addressTaken is set if the instruction computes the address without reading or writing there.
	addressTaken bool
}

// references returns the references to data in a function's code, in code order; start is the
// code's address. Go's toolchain uses one form per architecture: relative to the instruction
// pointer on amd64, page and offset on arm64.
func references(machine elf.Machine, code []byte, start uint64) []reference {
	if machine == elf.EM_AARCH64 {
		return referencesARM64(code, start)
	}
	return referencesAMD64(code, start)
}

func referencesAMD64(code []byte, start uint64) (found []reference) {
	for i := 0; i < len(code); {
		inst, err := x86asm.Decode(code[i:], 64)
		if err != nil || inst.Len == 0 {
			i++
			continue
		}
		i += inst.Len
		for _, arg := range inst.Args {
			if m, ok := arg.(x86asm.Mem); ok && m.Base == x86asm.RIP {
				found = append(found, reference{start + uint64(i) + uint64(m.Disp), inst.Op == x86asm.LEA})
			}
		}
	}
	return found
}

// referencesARM64 decodes ADRP and the instruction after it (Arm Architecture Reference Manual,
// C4.1). Go's assembler always emits both together (ADRP in cmd/internal/obj/arm64/asm7.go).
func referencesARM64(code []byte, start uint64) (found []reference) {
	for i := 0; i+8 <= len(code); i += 4 {
		adrp, next := binary.LittleEndian.Uint32(code[i:]), binary.LittleEndian.Uint32(code[i+4:])
		if adrp&0x9f000000 != 0x90000000 || next>>5&31 != adrp&31 {
			continue // not ADRP, or the next instruction has another base register
		}
		pages := int64(int32(adrp<<8)>>13)<<2 | int64(adrp>>29&3) // immhi, a signed 19 bits, and immlo
		page := (start+uint64(i))&^0xfff + uint64(pages<<12)
		offset := uint64(next >> 10 & 0xfff)
		switch {
		case next&0xffc00000 == 0x91000000: // ADD, 64 bits, immediate
			r := reference{page + offset, true}
			if i+12 <= len(code) { // up to Go 1.20, position-independent code may use ADRP, ADD and a load
				third := binary.LittleEndian.Uint32(code[i+8:])
				if within, ok := loadARM64(third); ok && third>>5&31 == next&31 {
					r = reference{r.address + within, false}
				}
			}
			found = append(found, r)
		default:
			if within, ok := loadARM64(next); ok {
				found = append(found, reference{page + within, false})
			}
		}
	}
	return found
}

// loadARM64 returns the byte offset of a load or store with an unsigned immediate, such as LDR or
// STR. The immediate counts in units of the operand's size.
func loadARM64(instruction uint32) (offset uint64, ok bool) {
	return uint64(instruction>>10&0xfff) << (instruction >> 30), instruction&0x3f000000 == 0x39000000
}
