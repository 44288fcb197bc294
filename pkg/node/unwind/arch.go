package unwind

import "debug/elf"

// arch has what differs between architectures. Registers have DWARF's numbers.
type arch struct {
	fp, sp, ra uint64
}

// On amd64 a call pushes the return address (System V ABI, 3.2.2), which has the number 16.
var amd64 = &arch{fp: 6, sp: 7, ra: 16}

// On arm64 a call leaves the return address in the link register, x30 (AAPCS64, 6.1.1).
var arm64 = &arch{fp: 29, sp: 31, ra: 30}

func archOf(m elf.Machine) *arch {
	switch m {
	case elf.EM_X86_64:
		return amd64
	case elf.EM_AARCH64:
		return arm64
	}
	return nil
}

// frameless is the rule of a function that has put nothing on the stack but, on amd64, its return
// address, and whose stack pointer has moved by delta bytes since its call.
func (a *arch) frameless(delta int32) Rule {
	if a == amd64 {
		return Rule{CFA: Register, Reg: uint8(a.sp), Offset: delta + 8, RA: AtCFA, RAOffset: -8}
	}
	return Rule{CFA: Register, Reg: uint8(a.sp), Offset: delta}
}
