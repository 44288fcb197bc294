// Package gopclntab reads the table in which Go programs find the functions, files and lines of
// their own code (runtime/symtab.go). Every Go program has it, also when it is stripped. Its entry
// points are Open and Table.Lookup. It must not depend on processes or profiles; the file is not
// trusted, so every size is limited and nothing is read whole.
package gopclntab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errNotGo is returned for an object without Go's function table.
var errNotGo = errors.New("no Go function table")

// Magic numbers of the table's versions (internal/abi/symtab.go and its predecessors). The layout
// before Go 1.18 is not supported.
const (
	magic118 = 0xfffffff0 // Go 1.18 and 1.19
	magic120 = 0xfffffff1 // Go 1.20 and later
)

// Limits on what a table may claim. The largest known programs have a tenth of them.
const (
	maxFunctions = 1 << 22
	maxName      = 4 << 10 // bytes; generic names reach some hundreds
	maxInline    = 256     // inlined calls at one address
	maxPCValue   = 1 << 20 // bytes read of one pc-value table
	maxWalked    = 1 << 28 // bytes read of all pc-value tables; about 10,000 lookups in the largest known functions
)

// Table is the function table of one Go program.
type Table struct {
	image     *image
	base      uint64 // address of the table's header
	magic     uint32
	quantum   uint64 // size of the smallest instruction: 1 on amd64 and 386, 4 on arm64 and arm
	pointer   int    // size of a pointer, in bytes: 8 or 4
	functions uint32
	walked    int // bytes read of pc-value tables

	names, units, files, pcs, funcs uint64 // addresses of the sub-tables (runtime.moduledata)

	text       uint64 // address that functions' entries are relative to: runtime.text
	moduledata uint64 // address of runtime.moduledata; 0 if it is not known

	gofunc uint64 // address that funcdata are relative to; 0 if it is not known, and inlined calls with it
}

// headerSize is the size of runtime.pcHeader: magic, two zeros, quantum, pointer size, and eight words,
// which have 4 bytes in 32-bit programs.
const headerSize = 72

// open reads the header of a table at an address.
func open(im *image, base uint64) (*Table, error) {
	var raw [headerSize]byte
	if err := im.read(raw[:], base); err != nil {
		return nil, fmt.Errorf("%w: header: %w", errNotGo, err)
	}
	t := &Table{image: im, base: base, magic: binary.LittleEndian.Uint32(raw[:]), quantum: uint64(raw[6]), pointer: int(raw[7])}
	if t.magic != magic118 && t.magic != magic120 || raw[4] != 0 || raw[5] != 0 ||
		raw[6] != 1 && raw[6] != 2 && raw[6] != 4 || raw[7] != 8 && raw[7] != 4 {
		return nil, fmt.Errorf("%w: the header has no known version (Go 1.18 to 1.27)", errNotGo)
	}
	word := func(i int) uint64 { return littleEndian(raw[8+t.pointer*i:], t.pointer) }
	if word(0) == 0 || word(0) > maxFunctions {
		return nil, fmt.Errorf("%w: it claims %d functions", errNotGo, word(0))
	}
	t.functions = uint32(word(0))
	t.text = word(2) // 0 from Go 1.26
	t.names, t.units, t.files, t.pcs, t.funcs = base+word(3), base+word(4), base+word(5), base+word(6), base+word(7)
	return t, nil
}

// function has the fields of runtime._func that are used.
type function struct {
	entry  uint64 // address of its first instruction
	end    uint64 // address of the next function
	at     uint64 // address of the runtime._func
	name   uint32 // offset in names
	pcsp   uint32 // offsets in pcs
	pcfile uint32
	pcln   uint32
	npc    uint32 // number of pcdata
	unit   uint32
	start  int32 // line of its declaration, from Go 1.20
	nfunc  uint8 // number of funcdata
	id     uint8 // internal/abi.FuncID
	flag   uint8
	tables uint64 // address of the pcdata offsets; the funcdata offsets follow them
}

// find returns the function at an address, or io.EOF. The table has pairs of the function's entry,
// relative to text, and the offset of its record.
func (t *Table) find(pc uint64) (*function, error) {
	if pc < t.text {
		return nil, io.EOF
	}
	offset := pc - t.text
	entryOf := func(i uint32) (uint32, uint32, error) {
		var pair [8]byte
		err := t.image.read(pair[:], t.funcs+8*uint64(i))
		return binary.LittleEndian.Uint32(pair[:]), binary.LittleEndian.Uint32(pair[4:]), err
	}
	low, high := uint32(0), t.functions // invariant: entry(low) <= offset < entry(high)
	first, _, err := entryOf(low)
	if err != nil {
		return nil, err
	}
	last, _, err := entryOf(high) // the end of the last function
	if err != nil {
		return nil, err
	}
	if offset < uint64(first) || offset >= uint64(last) {
		return nil, io.EOF
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		entry, _, err := entryOf(middle)
		if err != nil {
			return nil, err
		}
		if uint64(entry) <= offset {
			low = middle
		} else {
			high = middle
		}
	}
	entry, record, err := entryOf(low)
	if err != nil {
		return nil, err
	}
	next, _, err := entryOf(low + 1)
	if err != nil {
		return nil, err
	}
	f, err := t.function(t.funcs + uint64(record))
	if err != nil {
		return nil, err
	}
	f.entry, f.end = t.text+uint64(entry), t.text+uint64(next)
	return f, nil
}

// eachFunction calls visit with the entry, the end and the address of the record of each function,
// in the order of the addresses, until visit returns false.
func (t *Table) eachFunction(visit func(code Range, record uint64) bool) error {
	const steps = 8 // reading two entries takes as long as some steps of other loops
	var next [8]byte
	if err := t.image.read(next[:], t.funcs); err != nil {
		return fmt.Errorf("function table of Go: %w", err)
	}
	for i := range t.functions {
		entry, record := binary.LittleEndian.Uint32(next[:]), binary.LittleEndian.Uint32(next[4:])
		if err := t.image.file.Step(steps); err != nil {
			return err
		}
		if err := t.image.read(next[:], t.funcs+8*uint64(i+1)); err != nil {
			return fmt.Errorf("function table of Go: %w", err)
		}
		end := binary.LittleEndian.Uint32(next[:])
		if !visit(Range{t.text + uint64(entry), t.text + uint64(end)}, t.funcs+uint64(record)) {
			return nil
		}
	}
	return nil
}

// function reads a record, without entry and end: entryOff nameOff args deferreturn pcsp pcfile
// pcln npcdata cuOffset, from Go 1.20 on startLine, then funcID flag _ nfuncdata
// (runtime/runtime2.go, type _func).
func (t *Table) function(at uint64) (*function, error) {
	var raw [44]byte
	size := 44
	if t.magic == magic118 {
		size = 40
	}
	if err := t.image.read(raw[:size], at); err != nil {
		return nil, err
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(raw[4*i:]) }
	f := &function{
		at: at, name: word(1), pcsp: word(4), pcfile: word(5), pcln: word(6), npc: word(7), unit: word(8), tables: at + uint64(size),
	}
	f.id, f.flag, f.nfunc = raw[size-4], raw[size-3], raw[size-1]
	if t.magic != magic118 {
		f.start = int32(word(9))
	}
	if f.npc > 64 {
		return nil, fmt.Errorf("function record claims %d tables", f.npc)
	}
	return f, nil
}
