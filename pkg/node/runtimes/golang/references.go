//go:build linux

package golang

import (
	"debug/elf"
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"
)

// reference is an address of data that code uses, in the file's own numbering.
type reference struct {
	address uint64
	// taken is set where the code makes a pointer of it, and does not read or write there at once.
	taken bool
}

// references lists the addresses of data in a function's code, in the code's order. Go's compiler and linker
// make only two forms: relative to the instruction pointer on amd64, a page and an offset on arm64.
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

// referencesARM64 reads ADRP and the instruction behind it (Arm Architecture Reference Manual, C4.1): the
// assembler writes both at once (cmd/internal/obj/arm64, ADRP in asm7.go).
func referencesARM64(code []byte, start uint64) (found []reference) {
	for i := 0; i+8 <= len(code); i += 4 {
		adrp, next := binary.LittleEndian.Uint32(code[i:]), binary.LittleEndian.Uint32(code[i+4:])
		if adrp&0x9f000000 != 0x90000000 || next>>5&31 != adrp&31 {
			continue // no ADRP, or what follows it has another base register
		}
		pages := int64(int32(adrp<<8)>>13)<<2 | int64(adrp>>29&3) // immhi, a signed 19 bits, and immlo
		page := (start+uint64(i))&^0xfff + uint64(pages<<12)
		offset := uint64(next >> 10 & 0xfff)
		switch {
		case next&0xffc00000 == 0x91000000: // ADD, 64 bits, immediate
			r := reference{page + offset, true}
			if i+12 <= len(code) { // up to Go 1.20 what is read at the address may be so in position-independent code
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

// loadARM64 gives the offset of LDR, STR and their kin with an unsigned immediate, which counts in units of what is read.
func loadARM64(instruction uint32) (offset uint64, ok bool) {
	return uint64(instruction>>10&0xfff) << (instruction >> 30), instruction&0x3f000000 == 0x39000000
}
