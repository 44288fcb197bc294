// Package ehframe reads the section .eh_frame of an object: call frame information, which describes
// for every address of a function how to find its caller. Its entry points are Functions, for all
// functions with their rows, and Starts, for where single functions begin. It must not depend on
// how a stack is unwound; no size in a file is trusted.
package ehframe

import (
	"debug/elf"
	"fmt"
	"io"
	"iter"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// Registers are the DWARF numbers of the registers that rows describe, and of the stack pointer.
type Registers struct {
	FP, SP, RA uint64
}

var (
	// AMD64 follows the System V ABI, AMD64 supplement, 3.6.2. The number 16 stands for the return
	// address, which a call pushes onto the stack.
	AMD64 = &Registers{FP: 6, SP: 7, RA: 16}
	// ARM64 follows AADWARF64, 4.1. A call leaves the return address in the link register, x30.
	ARM64 = &Registers{FP: 29, SP: 31, RA: 30}
)

// Function is a range of code that the section describes.
type Function struct {
	Start, End uint64 // addresses in the object's own numbering

	cie          *cie
	instructions []byte
}

// Signal reports whether the function is what a signal handler returns to. Its frame is the kernel's.
func (f *Function) Signal() bool { return f.cie.signal }

// Row describes how to find the caller from an address to the next row's, or to the end of the
// function.
type Row struct {
	Address uint64
	CFA     CFA
	RA, FP  Location // of the return address and of the caller's frame pointer
}

// CFA describes how to compute the canonical frame address: the stack pointer before the call
// (DWARF 5, 6.4).
type CFA struct {
	Kind     CFAKind
	Register uint8
	// Offset and Add are in bytes. For a PLT, Add is the byte of a 16-byte stub from which on the
	// stub has pushed a word.
	Offset, Add int32
}

// CFAKind is the form of a CFA.
type CFAKind uint8

// The forms of a CFA.
const (
	CFAUnknown     CFAKind = iota // an unsupported description, or none
	CFARegister                   // Register + Offset
	CFADereference                // the word at Register + Offset, + Add
	CFAPLT                        // the expression that linkers write for a PLT on amd64
)

// Location is where the caller's value of a register is. The offset is in bytes, or for InRegister
// the number of the register.
type Location struct {
	Kind   LocationKind
	Offset int32
}

// LocationKind is the form of a Location.
type LocationKind uint8

// The forms of a Location.
const (
	Same       LocationKind = iota // the register has not changed
	AtCFA                          // in the word at CFA + offset
	AtFP                           // in the word at the frame pointer + offset
	InRegister                     // in another register
	Undefined                      // nowhere; without a return address there is no caller
	Unknown                        // an unsupported description
)

// maxSection is the limit on a section, in bytes. That of libLLVM, an object of 110 MB, has 5 MB.
const maxSection = 64 << 20

// Functions iterates over the functions that an object's .eh_frame describes, in the order of the
// section. An object without such a section has none.
func Functions(f *object.File, registers *Registers) (iter.Seq[Function], error) {
	s := f.Section(".eh_frame")
	if s == nil || s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return Parse(nil, 0, registers), nil
	}
	if s.FileSize > maxSection {
		return nil, fmt.Errorf(".eh_frame has %d bytes, more than the limit of %d", s.FileSize, maxSection)
	}
	data := make([]byte, s.FileSize)
	n, err := s.ReadAt(data, 0)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read .eh_frame: %w", err)
	}
	return Parse(data[:n], s.Addr, registers), nil
}

// Rows calls emit for each row of the function, in the order of the addresses. An error means that
// the description cannot be used, including the rows that came before it. A signal trampoline has no
// rows.
func (f *Function) Rows(emit func(Row)) error {
	if f.Signal() {
		return nil
	}
	m := &machine{cie: f.cie, location: f.Start, emit: func(Row) {}}
	if err := m.execute(f.cie.instructions); err != nil {
		return err
	}
	m.initial, m.emit, m.location = m.now, emit, f.Start
	if err := m.execute(f.instructions); err != nil {
		return err
	}
	m.row()
	return nil
}
