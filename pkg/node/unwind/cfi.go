package unwind

import (
	"errors"
	"fmt"
)

// Call frame instructions, DWARF 5, table 7.29, and those of GNU and Arm.
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

var errInstruction = errors.New("unknown call frame instruction")

// maxRemembered bounds the states that a function may remember; compilers nest them once.
const maxRemembered = 32

// state is one row of the table that the instructions describe, as far as a rule needs it.
type state struct {
	cfa    Rule // CFA, Reg, Offset, Add
	ra, fp place
}

// place is where a register's value in the caller is.
type place struct {
	saved  Saved
	offset int64
	kind   placeKind
}

type placeKind uint8

const (
	isSaved     placeKind = iota
	isUndefined           // it has no value: for a return address, there is no caller
	isUnknown             // described in a way that is not understood
)

// machine executes call frame instructions.
type machine struct {
	cie        *cie
	arch       *arch
	now, first state // first is what the CIE's instructions gave
	remembered []state
	location   uint64
	emit       func(uint64, Rule)
}

// run emits a function's rows.
func (c *cie) run(a *arch, start uint64, instructions []byte, emit func(uint64, Rule)) error {
	if c.signal {
		emit(start, Rule{CFA: Signal})
		return nil
	}
	m := &machine{cie: c, arch: a, location: start, emit: func(uint64, Rule) {}}
	if err := m.execute(c.instructions, start); err != nil {
		return err
	}
	m.first, m.emit, m.location = m.now, emit, start
	if err := m.execute(instructions, start); err != nil {
		return err
	}
	m.row()
	return nil
}

// row emits the current state.
func (m *machine) row() { m.emit(m.location, m.now.rule()) }

// rule makes a rule of a state.
func (s *state) rule() Rule {
	if s.ra.kind == isUndefined {
		return Rule{CFA: Root}
	}
	r := s.cfa
	r.RA, r.RAOffset, r.FP, r.FPOffset = s.ra.saved, int32(s.ra.offset), s.fp.saved, int32(s.fp.offset)
	if s.fp.kind == isUndefined { // what it holds is not the caller's, and the caller does not need it
		r.FP, r.FPOffset = Same, 0
	}
	if s.ra.kind == isUnknown || s.fp.kind == isUnknown || r.CFA == FramePointer || r.CFA == Unknown {
		return Rule{CFA: Unknown}
	}
	return r
}

// set says where a register is saved, if it is one that a rule has.
func (m *machine) set(register uint64, p place) {
	if p.offset != int64(int32(p.offset)) {
		p = place{kind: isUnknown}
	}
	switch register {
	case m.arch.ra:
		m.now.ra = p
	case m.arch.fp:
		m.now.fp = p
	}
}

func (m *machine) restore(register uint64) {
	switch register {
	case m.arch.ra:
		m.now.ra = m.first.ra
	case m.arch.fp:
		m.now.fp = m.first.fp
	}
}

func (m *machine) defineCFA(register uint64, offset int64) {
	if register > 31 || offset != int64(int32(offset)) {
		m.now.cfa = Rule{CFA: Unknown}
		return
	}
	m.now.cfa = Rule{CFA: Register, Reg: uint8(register), Offset: int32(offset)}
}

func (m *machine) advance(by uint64) {
	m.row()
	m.location += by * m.cie.codeAlign
}

func (m *machine) execute(instructions []byte, start uint64) error {
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
			m.set(low, place{saved: AtCFA, offset: align(r.uleb())})
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
			m.set(r.uleb(), place{saved: AtCFA, offset: align(r.uleb())})
		case cfaOffsetExtendedSF:
			m.set(r.uleb(), place{saved: AtCFA, offset: r.sleb() * m.cie.dataAlign})
		case cfaGNUNegOffsetExtend:
			m.set(r.uleb(), place{saved: AtCFA, offset: -align(r.uleb())})
		case cfaRestoreExtended:
			m.restore(r.uleb())
		case cfaUndefined:
			m.set(r.uleb(), place{kind: isUndefined})
		case cfaSameValue:
			m.set(r.uleb(), place{})
		case cfaRegister:
			m.set(r.uleb(), place{saved: InRegister, offset: int64(r.uleb())})
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
			m.defineCFA(r.uleb(), int64(m.now.cfa.Offset))
		case cfaDefCFAOffset:
			m.defineCFA(uint64(m.now.cfa.Reg), int64(r.uleb()))
		case cfaDefCFAOffsetSF:
			m.defineCFA(uint64(m.now.cfa.Reg), r.sleb()*m.cie.dataAlign)
		case cfaDefCFAExpression:
			m.now.cfa = cfaOf(r.bytes(r.uleb()))
		case cfaExpression:
			register := r.uleb()
			m.set(register, m.placeOf(r.bytes(r.uleb())))
		case cfaValOffset, cfaValOffsetSF, cfaValExpression:
			m.set(r.uleb(), place{kind: isUnknown})
			if op == cfaValExpression {
				r.bytes(r.uleb())
			} else {
				r.uleb()
			}
		case cfaNegateRAState:
		case cfaGNUArgsSize:
			r.uleb()
		default: // also DW_CFA_set_loc, which no compiler uses
			return fmt.Errorf("%w %#x", errInstruction, op)
		}
	}
	return r.err
}
