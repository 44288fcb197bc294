package ehframe

import (
	"errors"
	"fmt"
)

// Call frame instructions: DWARF 5, table 7.29, with the extensions of GNU and Arm.
const (
	cfaAdvanceLoc         = 0x40 // the low 6 bits are the operand
	cfaOffset             = 0x80
	cfaRestore            = 0xc0
	cfaNop                = 0x00
	cfaSetLoc             = 0x01
	cfaAdvanceLoc1        = 0x02
	cfaAdvanceLoc2        = 0x03
	cfaAdvanceLoc4        = 0x04
	cfaOffsetExtended     = 0x05
	cfaRestoreExtended    = 0x06
	cfaUndefined          = 0x07
	cfaSameValue          = 0x08
	cfaRegister           = 0x09
	cfaRememberState      = 0x0a
	cfaRestoreState       = 0x0b
	cfaDefCFA             = 0x0c
	cfaDefCFARegister     = 0x0d
	cfaDefCFAOffset       = 0x0e
	cfaDefCFAExpression   = 0x0f
	cfaExpression         = 0x10
	cfaOffsetExtendedSF   = 0x11
	cfaDefCFASF           = 0x12
	cfaDefCFAOffsetSF     = 0x13
	cfaValOffset          = 0x14
	cfaValOffsetSF        = 0x15
	cfaValExpression      = 0x16
	cfaNegateRAState      = 0x2d // DWARF for the Arm 64-bit Architecture
	cfaGNUArgsSize        = 0x2e
	cfaGNUNegOffsetExtend = 0x2f
)

var errInstruction = errors.New("unsupported call frame instruction")

// maxRemembered limits the states that a function may remember. Compilers do not nest them.
const maxRemembered = 32

// machine executes call frame instructions.
type machine struct {
	cie        *cie
	now        Row // its address is not used
	initial    Row // after the CIE's instructions
	remembered []Row
	location   uint64
	emit       func(Row)
}

func (m *machine) row() {
	m.now.Address = m.location
	m.emit(m.now)
}

func (m *machine) advance(by uint64) {
	m.row()
	m.location += by * m.cie.codeAlign
}

// set notes where a register's value is, for those registers that a row describes.
func (m *machine) set(register uint64, kind LocationKind, offset int64) {
	l := Location{kind, int32(offset)}
	if offset != int64(l.Offset) {
		l = Location{Kind: Unknown}
	}
	switch register {
	case m.cie.registers.RA:
		m.now.RA = l
	case m.cie.registers.FP:
		m.now.FP = l
	}
}

func (m *machine) restore(register uint64) {
	switch register {
	case m.cie.registers.RA:
		m.now.RA = m.initial.RA
	case m.cie.registers.FP:
		m.now.FP = m.initial.FP
	}
}

func (m *machine) defineCFA(register uint64, offset int64) {
	if register > 31 || offset != int64(int32(offset)) {
		m.now.CFA = CFA{}
		return
	}
	m.now.CFA = CFA{Kind: CFARegister, Register: uint8(register), Offset: int32(offset)}
}

func (m *machine) execute(instructions []byte) error {
	r := &reader{data: instructions}
	align := func(n uint64) int64 { return int64(n) * m.cie.dataAlign }
	for r.more() {
		op := r.u8()
		low := uint64(op & 0x3f)
		switch op & 0xc0 {
		case cfaAdvanceLoc:
			m.advance(low)
			continue
		case cfaOffset:
			m.set(low, AtCFA, align(r.uleb()))
			continue
		case cfaRestore:
			m.restore(low)
			continue
		}
		switch op {
		case cfaNop:
		case cfaAdvanceLoc1:
			m.advance(r.fixed(1))
		case cfaAdvanceLoc2:
			m.advance(r.fixed(2))
		case cfaAdvanceLoc4:
			m.advance(r.fixed(4))
		case cfaOffsetExtended:
			m.set(r.uleb(), AtCFA, align(r.uleb()))
		case cfaOffsetExtendedSF:
			m.set(r.uleb(), AtCFA, r.sleb()*m.cie.dataAlign)
		case cfaGNUNegOffsetExtend:
			m.set(r.uleb(), AtCFA, -align(r.uleb()))
		case cfaRestoreExtended:
			m.restore(r.uleb())
		case cfaUndefined:
			m.set(r.uleb(), Undefined, 0)
		case cfaSameValue:
			m.set(r.uleb(), Same, 0)
		case cfaRegister:
			m.set(r.uleb(), InRegister, int64(r.uleb()))
		case cfaRememberState:
			if len(m.remembered) == maxRemembered {
				return errInstruction
			}
			m.remembered = append(m.remembered, m.now)
		case cfaRestoreState:
			n := len(m.remembered)
			if n == 0 {
				return errInstruction
			}
			m.now, m.remembered = m.remembered[n-1], m.remembered[:n-1]
		case cfaDefCFA:
			m.defineCFA(r.uleb(), int64(r.uleb()))
		case cfaDefCFASF:
			m.defineCFA(r.uleb(), r.sleb()*m.cie.dataAlign)
		case cfaDefCFARegister:
			m.defineCFA(r.uleb(), int64(m.now.CFA.Offset))
		case cfaDefCFAOffset:
			m.defineCFA(uint64(m.now.CFA.Register), int64(r.uleb()))
		case cfaDefCFAOffsetSF:
			m.defineCFA(uint64(m.now.CFA.Register), r.sleb()*m.cie.dataAlign)
		case cfaDefCFAExpression:
			m.now.CFA = parseCFA(r.bytes(r.uleb()))
		case cfaExpression:
			register := r.uleb()
			kind, offset := m.parseLocation(r.bytes(r.uleb()))
			m.set(register, kind, offset)
		case cfaValOffset, cfaValOffsetSF, cfaValExpression:
			m.set(r.uleb(), Unknown, 0)
			if op == cfaValExpression {
				r.bytes(r.uleb())
			} else {
				r.uleb()
			}
		case cfaNegateRAState:
		case cfaGNUArgsSize:
			r.uleb()
		default: // including DW_CFA_set_loc, which compilers do not emit
			return fmt.Errorf("%w %#x", errInstruction, op)
		}
	}
	return r.err
}
