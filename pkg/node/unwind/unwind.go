// Package unwind compiles unwind tables: for each address of an object, the rule that finds the
// caller. Its entry points are Compile, which uses .eh_frame and what Go's function table says of
// assembly, and CompileVDSO for the kernel's code. It must not depend on BPF or processes; the
// objects belong to the target and are not trusted.
package unwind

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
)

// Row has the number, in a RuleSet, of the rule that holds from an address to that of the next row.
// Address is relative to the table's base.
type Row struct {
	Address uint32
	Rule    uint16
}

// Table makes the rows of an object. Large objects have so many that not all are kept in memory.
type Table struct {
	// Base is an address in the object's own numbering: the page at which the segment of the first
	// function begins. From there on, every address has a row.
	Base uint64

	file      *object.File
	frames    *ehframe.Section
	others    []described // not in .eh_frame
	functions []function  // of frames and others, sorted by address
	rules     *RuleSet
}

// function is a range of code with a description. There may be a million.
type function struct {
	start       uint64
	size        uint32 // bytes
	description uint32 // offset of the FDE in .eh_frame; with isOther, an index of Table.others
}

// isOther marks a description that is not in .eh_frame, whose offsets are smaller.
const isOther = 1 << 31

func (f *function) end() uint64 { return f.start + uint64(f.size) }

// described is a range of code that .eh_frame does not describe. rows emits, in the order of the
// addresses, rules and the addresses from which they hold.
type described struct {
	start, end uint64
	rows       func(emit func(address uint64, rule Rule))
}

// maxRows is the limit on the rows of one object, which leaves room for others in the kernel.
// ClickHouse has 2.8 million, Rust's libLLVM 1.4 million.
const maxRows = 3 << 20

// sources find code that .eh_frame does not describe.
var sources = []func(*object.File, *arch) ([]described, error){pltFunctions, signalTrampolines, goAssembly}

// Compile returns the table of an object. Its rows add new rules to the set. An object without
// unwind information has no rows. Code with a description that is not supported has the rule
// Unknown. An object that exceeds a limit has no table, and the error names the limit.
func Compile(f *object.File, rules *RuleSet) (*Table, error) {
	a := archOf(f)
	if a == nil {
		return &Table{}, nil
	}
	frames, err := ehframe.Open(f, a.Registers)
	if err != nil {
		return nil, err
	}
	var others []described
	for _, find := range sources {
		found, err := find(f, a)
		if err != nil {
			return nil, err
		}
		others = append(others, found...)
	}
	t, err := newTable(f, frames, others, rules)
	if err != nil {
		return nil, err
	}
	return t, f.Err()
}

// smallestEntry is the size of the smallest FDEs that compilers make, in bytes.
const smallestEntry = 24

// newTable sorts the functions. If a place has several descriptions, that in .eh_frame counts, or
// else the first of the others.
func newTable(f *object.File, frames *ehframe.Section, others []described, rules *RuleSet) (*Table, error) {
	t := &Table{file: f, frames: frames, others: others, rules: rules}
	t.functions = make([]function, 0, int(frames.Size()/smallestEntry)+len(others))
	add := func(start, end uint64, description uint32) {
		if end > start {
			t.functions = append(t.functions, function{start, uint32(min(end-start, math.MaxUint32)), description})
		}
	}
	for d, err := range frames.Functions() {
		if err != nil {
			return nil, err
		}
		add(d.Start, d.End, d.Entry)
	}
	for i, d := range others {
		add(d.start, d.end, isOther|uint32(i))
	}
	compare := func(a, b function) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.description, b.description))
	}
	if !slices.IsSortedFunc(t.functions, compare) {
		slices.SortFunc(t.functions, compare)
	}
	if len(t.functions) > 0 {
		t.Base = firstPage(f, t.functions[0].start)
	}
	return t, nil
}

// firstPage returns where the mapping of an address can begin at the earliest: the address that
// its segment is loaded at, rounded down to the largest page, which arm64 has. Without a segment it
// returns the address.
func firstPage(f *object.File, address uint64) uint64 {
	const largestPage = 64 << 10
	for _, s := range f.CodeSegments() {
		if address >= s.Vaddr && address-s.Vaddr < s.Memsz {
			return s.Vaddr &^ (largestPage - 1)
		}
	}
	return address
}

// Rows iterates over the rows, sorted by address. Each has another rule than the one before. Code
// without a description has the rule FramePointer. An error comes last and means that the rows are
// not complete.
func (t *Table) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if len(t.functions) == 0 {
			return
		}
		next, rows := Row{}, 0 // code before the first function has no description
		put := func(r Row) bool {
			switch {
			case r.Address == next.Address:
				next.Rule = r.Rule
			case r.Rule != next.Rule:
				if !yield(next, nil) {
					return false
				}
				next = r
				rows++
			}
			return true
		}
		collector := newFunctionRows(t)
		end := t.Base // of the functions so far
		for i := range t.functions {
			f := &t.functions[i]
			if f.start < end || f.end() < f.start { // described before
				continue
			}
			if f.end()-t.Base >= math.MaxUint32 {
				break // real objects are smaller; code beyond this has no rows
			}
			if end < f.start && !put(Row{Address: uint32(end - t.Base)}) {
				return
			}
			end = f.end()
			ofFunction := collector.rowsOf(f)
			if rows+len(ofFunction) > maxRows {
				yield(Row{}, t.file.Errorf("the unwind table has more than %d rows", maxRows))
				return
			}
			for _, r := range ofFunction {
				if !put(r) {
					return
				}
			}
		}
		if !put(Row{Address: uint32(end - t.Base)}) || !yield(next, nil) {
			return
		}
		if err := t.err(); err != nil {
			yield(Row{}, err)
		}
	}
}

// err returns the error of the first limit that the object has exceeded, or of a read that failed.
func (t *Table) err() error {
	if t.file == nil { // of an object without a table
		return nil
	}
	return cmp.Or(t.file.Err(), t.frames.Err())
}

// functionRows collects the rows of one function after the other.
type functionRows struct {
	*Table
	function *function
	rows     []Row
	// The methods emit and emitFrame. Each use of a method as a value allocates memory.
	emitRule  func(address uint64, rule Rule)
	emitFrame func(ehframe.Row)
}

func newFunctionRows(t *Table) *functionRows {
	r := &functionRows{Table: t}
	r.emitRule = r.emit
	r.emitFrame = func(row ehframe.Row) { r.emit(row.Address, ruleOf(row)) }
	return r
}

// rowsOf returns the rows of a function. They are valid until the next call.
func (r *functionRows) rowsOf(f *function) []Row {
	r.function, r.rows = f, r.rows[:0]
	if f.description&isOther != 0 {
		r.others[f.description&^isOther].rows(r.emitRule)
		return r.rows
	}
	signal, err := r.frames.Rows(ehframe.Function{Start: f.start, End: f.end(), Entry: f.description}, r.emitFrame)
	if err != nil {
		r.rows = r.rows[:0]
		r.emit(f.start, Rule{CFA: Unknown})
	} else if signal {
		r.emit(f.start, Rule{CFA: Signal})
	}
	return r.rows
}

// emit appends a row. Successive rows with the same rule become one.
func (r *functionRows) emit(address uint64, rule Rule) {
	if address < r.function.start || address >= r.function.end() || len(r.rows) > maxRows {
		return
	}
	row := Row{uint32(address - r.Base), r.rules.findOrAdd(rule)}
	switch n := len(r.rows); {
	case n > 0 && row.Address <= r.rows[n-1].Address:
		if row.Address == r.rows[n-1].Address {
			r.rows[n-1].Rule = row.Rule
		}
	case n > 0 && r.rows[n-1].Rule == row.Rule:
	default:
		r.rows = append(r.rows, row)
	}
}
