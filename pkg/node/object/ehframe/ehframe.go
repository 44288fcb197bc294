// Package ehframe reads the section .eh_frame of an object: call frame information, which describes
// for every address of a function how to find its caller. Its entry points are Open, for all
// functions with their rows, and Starts, for where single functions begin. It must not depend on
// how a stack is unwound; no size in a file is trusted.
package ehframe

import (
	"bytes"
	"cmp"
	"debug/elf"
	"io"

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

// Section is an object's .eh_frame. It reads the object when it is used.
type Section struct {
	file      *object.File
	entries   *window // for FDEs
	shared    *window // for CIEs
	address   uint64  // of the section
	registers *Registers
	cies      map[uint64]*cie // by their offset; nil for those that are not supported
	machine   machine         // of the last function
}

// Function is a range of code that the section describes.
type Function struct {
	Start, End uint64 // addresses in the object's own numbering
	Entry      uint32 // offset of its FDE in the section, in bytes
}

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

// Limits on a section. That of Rust's libLLVM, an object of 200 MB, has 7.7 MB for 161,000
// functions and 1.4 million rows, with fewer than 100 CIEs. ClickHouse has twice as many rows. A
// function takes 16 bytes of memory while its object is compiled.
const (
	maxSection   = 64 << 20 // bytes
	maxFunctions = 3 << 19
	maxCIEs      = 1 << 14
	maxEntry     = 1 << 20 // bytes; larger entries are skipped
)

// Open reads the section .eh_frame of an object or, if that has no section of this name, what the segment
// PT_GNU_EH_FRAME refers to. It returns one without functions for an object that has neither.
func Open(f *object.File, registers *Registers) (*Section, error) {
	s := f.Section(".eh_frame")
	if s == nil {
		return openSegment(f, registers)
	}
	if s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return Parse(nil, 0, registers), nil
	}
	if s.Size > maxSection {
		return nil, f.Errorf("section %s has %d bytes; the limit is %d", s.Name, s.Size, maxSection)
	}
	return newSection(f, s, s.Size, s.Addr, registers), nil
}

// Parse returns the section with the given content that is loaded at an address.
func Parse(content []byte, address uint64, registers *Registers) *Section {
	return newSection(&object.File{}, bytes.NewReader(content), uint64(len(content)), address, registers)
}

func newSection(f *object.File, content io.ReaderAt, size, address uint64, registers *Registers) *Section {
	s := newWindowedSection(f, content, size, address, registers)
	if size <= wholeSection {
		s.entries.whole, s.shared = true, s.entries
	}
	return s
}

// newWindowedSection returns a section of which only a part is in memory at any time.
func newWindowedSection(f *object.File, content io.ReaderAt, size, address uint64, registers *Registers) *Section {
	return &Section{
		file: f, entries: &window{source: content, size: size}, shared: &window{source: content, size: size},
		address: address, registers: registers, cies: map[uint64]*cie{},
	}
}

// Size returns the size of the section, in bytes.
func (s *Section) Size() uint64 { return s.entries.size }

// Err returns the error of the first read that failed, or nil.
func (s *Section) Err() error {
	if err := cmp.Or(s.entries.err, s.shared.err); err != nil {
		return s.file.Errorf("%w", err)
	}
	return nil
}

// Rows calls emit for each row of a function, in the order of the addresses. An error means that
// the description cannot be used, including the rows that came before it. A signal trampoline,
// whose frame is the kernel's, has no rows; for it Rows reports true.
func (s *Section) Rows(f Function, emit func(Row)) (signal bool, _ error) {
	r, c := s.entryAt(uint64(f.Entry))
	switch {
	case c == nil:
		return false, errShort
	case c.signal:
		return true, nil
	case c.err != nil:
		return false, c.err
	}
	if _, ok := parseFDE(&r, c); !ok {
		return false, errShort
	}
	instructions := r.data[r.at:]
	if err := s.file.Step(len(instructions)); err != nil { // an instruction has one byte or more
		return false, err
	}
	m := &s.machine
	*m = machine{cie: c, now: c.initial, initial: c.initial, remembered: m.remembered[:0], location: f.Start, emit: emit}
	if err := m.execute(instructions); err != nil {
		return false, err
	}
	m.row()
	return false, nil
}
