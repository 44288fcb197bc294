package ehframe

// Operations of DWARF expressions that occur in unwind information (DWARF 5, table 7.9).
const (
	opDeref      = 0x06
	opAnd        = 0x1a
	opPlus       = 0x22
	opPlusUconst = 0x23
	opShl        = 0x24
	opGe         = 0x2a
	opLit0       = 0x30
	opBreg0      = 0x70
	opBreg16     = 0x80
)

// parseCFA parses the expressions that compilers, linkers and hand-written assembly use for a CFA:
// a register and an offset, the word found there (where a stack was realigned), that word and an
// offset, and the expression for a PLT.
func parseCFA(expression []byte) CFA {
	if threshold, ok := pltThreshold(expression); ok {
		return CFA{Kind: CFAPLT, Add: int32(threshold)}
	}
	r := &reader{data: expression}
	op := r.u8()
	if op < opBreg0 || op > opBreg0+31 {
		return CFA{}
	}
	offset, add, dereferenced := r.sleb(), int64(0), false
	for r.more() {
		switch r.u8() {
		case opPlusUconst:
			n := int64(r.uleb())
			if dereferenced {
				add += n
			} else {
				offset += n
			}
		case opDeref:
			if dereferenced {
				return CFA{}
			}
			dereferenced = true
		default:
			return CFA{}
		}
	}
	if r.err != nil || offset != int64(int32(offset)) || add != int64(int32(add)) {
		return CFA{}
	}
	cfa := CFA{Kind: CFARegister, Register: op - opBreg0, Offset: int32(offset), Add: int32(add)}
	if dereferenced {
		cfa.Kind = CFADereference
	}
	return cfa
}

// pltThreshold recognizes sp + 8 + ((pc & 15) >= N) << 3, which GNU's linker writes for a PLT on
// amd64, and returns N. The second instruction of a stub, which ends at byte N, pushes a word.
func pltThreshold(e []byte) (byte, bool) {
	want := []byte{opBreg0 + 7, 8, opBreg16, 0, opLit0 + 15, opAnd, 0, opGe, opLit0 + 3, opShl, opPlus}
	if len(e) != len(want) || e[6] < opLit0 || e[6] > opLit0+15 {
		return 0, false
	}
	for i := range want {
		if i != 6 && e[i] != want[i] {
			return 0, false
		}
	}
	return e[6] - opLit0, true
}

// parseLocation parses the expression of where a register is saved: at an offset from the frame
// pointer.
func (m *machine) parseLocation(expression []byte) (LocationKind, int64) {
	r := &reader{data: expression}
	op := r.u8()
	offset := r.sleb()
	if r.err != nil || r.more() || uint64(op) != opBreg0+m.cie.registers.FP {
		return Unknown, 0
	}
	return AtFP, offset
}
