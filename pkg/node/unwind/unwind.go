// Package unwind compiles unwind tables: for each address of an object, the rule that finds the
// caller. Its entry points are Compile, which uses .eh_frame and what Go's function table says of
// assembly, and CompileVDSO for the kernel's code. It must not depend on BPF or processes; the
// objects belong to the target and are not trusted.
package unwind

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// Row has the number, in a RuleSet, of the rule that holds from an address to that of the next row.
// Address is relative to the table's base.
type Row struct {
	Address uint32
	Rule    uint16
}

// Table has the rows of an object, sorted by address.
type Table struct {
	Base uint64 // an address in the object's own numbering
	Rows []Row
}

// maxRows is the limit on the rows of one object. libLLVM, of 110 MB, has 950,000.
const maxRows = 2 << 20

// ErrTooLarge is returned for an object with more unwind information than the limits allow.
var ErrTooLarge = errors.New("too much unwind information")

// function is a range of code with a description. rows emits, in the order of the addresses, rules
// and the addresses from which they hold.
type function struct {
	start, end uint64
	rows       func(emit func(address uint64, rule Rule)) error
}

// sources find the functions that something describes. If a place has several descriptions, the
// first counts.
var sources = []func(*object.File, *arch) ([]function, error){
	frameFunctions, pltFunctions, signalTrampolines, goAssembly,
}

// Compile returns the rows of an object, and adds new rules to the set. An object without unwind
// information has no rows. Code with a description that is not supported has the rule Unknown.
func Compile(f *object.File, rules *RuleSet) (*Table, error) {
	a := archOf(f.Machine)
	if a == nil {
		return &Table{}, nil
	}
	var all []function
	for _, find := range sources {
		found, err := find(f, a)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return compile(all, rules)
}

// compile sorts the functions and joins their rows, with a row at the end of a function unless the
// next one begins there.
func compile(all []function, rules *RuleSet) (*Table, error) {
	slices.SortStableFunc(all, func(a, b function) int { return cmp.Compare(a.start, b.start) })
	if len(all) == 0 {
		return &Table{}, nil
	}
	t := &Table{Base: all[0].start}
	end := t.Base // of the functions so far
	for i := range all {
		f := &all[i]
		if f.start < end || f.end <= f.start { // described before, or empty
			continue
		}
		if f.end-t.Base >= math.MaxUint32 {
			break // real objects are smaller; code beyond this has no rows
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

// add appends the rows of a function. Successive rows with the same rule become one.
func (t *Table) add(f *function, rules *RuleSet) {
	begin := len(t.Rows)
	err := f.rows(func(address uint64, rule Rule) {
		if address < f.start || address >= f.end || len(t.Rows) > maxRows {
			return
		}
		row := Row{uint32(address - t.Base), rules.findOrAdd(rule)}
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
		t.Rows = append(t.Rows[:begin], Row{uint32(f.start - t.Base), rules.findOrAdd(Rule{CFA: Unknown})})
	}
}
