// Package unwind makes unwind tables: for each address of an ELF object, how to find the caller. Its
// entry point is Compile, which reads .eh_frame and what Go's function table says of assembly; CompileVDSO does
// so for the kernel's code. It must not know of BPF or processes; the objects that it reads are the target's and
// not trusted.
package unwind

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
)

// Kind is how a frame's CFA is found: the canonical frame address, which is the stack pointer before
// the call (DWARF 5, 6.4).
type Kind uint8

// The values are those of enum cfa_kind in pkg/node/capture/bpf/tables.h.
const (
	FramePointer  Kind = iota // nothing is known but that code mostly keeps frame pointers
	Register                  // Reg + Offset
	Dereference               // the word at Reg + Offset, + Add
	PLT                       // sp + 8, and 8 more from byte Add of a 16-byte PLT entry on
	Signal                    // the kernel's signal frame is at the stack pointer
	Root                      // a thread begins here
	GoCgocall                 // runtime.asmcgocall; the goroutine's stack is noted at sp + Offset
	GoSystemstack             // runtime.systemstack; the goroutine's stack is noted in g.sched
	GoMorestack               // runtime.morestack; likewise
	Unknown                   // described in a way that is not understood
)

// Saved is where the return address or the caller's frame pointer is.
type Saved uint8

// The values are those of enum saved_kind in pkg/node/capture/bpf/tables.h.
const (
	Same       Saved = iota // not saved
	AtCFA                   // the word at CFA + offset
	AtFP                    // the word at the frame pointer + offset
	InRegister              // in the register whose DWARF number is the offset
)

// Rule says how to leave a frame. Offsets are in bytes.
type Rule struct {
	CFA                Kind
	Reg                uint8 // DWARF's number
	RA, FP             Saved // return address, frame pointer
	Offset, Add        int32
	RAOffset, FPOffset int32
}

// Row has the rule, by its number in a RuleSet, that holds from Address to the next row's. The address
// counts from the table's base.
type Row struct {
	Address uint32
	Rule    uint16
}

// Table has the rows of an object, sorted by address.
type Table struct {
	Base uint64 // in the object's own numbering
	Rows []Row
}

// Limits of one object; libLLVM, 110 MB, has 950,000 rows in a section of 5 MB.
const (
	maxRows = 2 << 20
)

// ErrTooLarge is returned for an object with more unwind information than is read.
var ErrTooLarge = errors.New("too much unwind information")

// function is a range of code that something describes.
type function struct {
	start, end uint64
	rows       func(emit func(uint64, Rule)) error
}

// Compile gives the rows of an object; rules gets those that are new. An object without any has none,
// which is no error; neither is a description that cannot be read: its code gets the rule Unknown.
func Compile(f *object.File, rules *RuleSet) (*Table, error) {
	a := archOf(f.Machine)
	if a == nil {
		return &Table{}, nil
	}
	all, err := frameFunctions(f, a)
	if err != nil {
		return nil, err
	}
	all = append(all, pltFunctions(f, a)...)
	all = append(all, signalTrampolines(f, a)...)
	if t, err := gopclntab.Open(f); err == nil {
		all = append(all, goFunctions(t, a)...)
	}
	return compile(all, rules)
}

// compile puts functions in order, with a row where each ends unless the next begins there.
func compile(all []function, rules *RuleSet) (*Table, error) {
	slices.SortStableFunc(all, func(a, b function) int { return cmp.Compare(a.start, b.start) })
	if len(all) == 0 {
		return &Table{}, nil
	}
	t := &Table{Base: all[0].start}
	end := t.Base // of what is described so far
	for i := range all {
		f := &all[i]
		if f.start < end || f.end <= f.start { // the second description of a place is ignored
			continue
		}
		if f.end-t.Base >= math.MaxUint32 {
			break // no object is that large; what is behind stays without rows
		}
		if end < f.start {
			t.Rows = append(t.Rows, Row{Address: uint32(end - t.Base)})
		}
		end = f.end
		t.add(f, rules)
		if len(t.Rows) > maxRows {
			return nil, fmt.Errorf("more than %d rows: %w", maxRows, ErrTooLarge)
		}
	}
	t.Rows = append(t.Rows, Row{Address: uint32(end - t.Base)})
	return t, nil
}

// add appends a function's rows, of which equal ones in succession are one.
func (t *Table) add(f *function, rules *RuleSet) {
	begin := len(t.Rows)
	err := f.rows(func(address uint64, rule Rule) {
		if address < f.start || address >= f.end || len(t.Rows) > maxRows {
			return
		}
		row := Row{uint32(address - t.Base), rules.number(rule)}
		switch n := len(t.Rows); {
		case n > begin && row.Address <= t.Rows[n-1].Address:
			if row.Address == t.Rows[n-1].Address {
				t.Rows[n-1].Rule = row.Rule
			}
		case n > 0 && t.Rows[n-1].Rule == row.Rule:
		default:
			t.Rows = append(t.Rows, row)
		}
	})
	if err != nil {
		t.Rows = append(t.Rows[:begin], Row{uint32(f.start - t.Base), rules.number(Rule{CFA: Unknown})})
	}
}
