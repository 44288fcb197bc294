// Package gopclntab reads the table by which Go programs find functions, files and lines of their own
// code (runtime/symtab.go), from outside and as far as needed: it is there in every Go binary,
// stripped or not. Its entry points are Open and Table.Lookup. It must not know of processes or
// profiles; the file is not trusted, so every size is bounded and nothing is read whole.
package gopclntab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrNotGo is given for an object without Go's function table.
var ErrNotGo = errors.New("no Go function table")

// Magic numbers of the table's versions, from internal/abi/symtab.go and its predecessors. Before
// Go 1.18 the table had another layout, which is not read.
const (
	magic118 = 0xfffffff0 // Go 1.18 and 1.19
	magic120 = 0xfffffff1 // Go 1.20 and later
)

// Bounds on what a table may claim: the largest known programs have a tenth of it.
const (
	maxFunctions = 1 << 22
	maxName      = 4 << 10 // bytes; generic names reach some hundreds
	maxInline    = 256     // inlined calls at one address
	maxPCValue   = 1 << 20 // bytes of one pc-value table that are walked
	maxWalked    = 1 << 28 // bytes of all of them together, some 10,000 lookups of the largest functions known
)

// Table is the function table of one Go program.
type Table struct {
	image     *image
	base      uint64 // address of the table's header
	magic     uint32
	quantum   uint64 // size of the smallest instruction: 1 on amd64, 4 on arm64
	functions uint32
	walked    int // bytes of pc-value tables

	names, units, files, pcs, funcs uint64 // addresses of the sub-tables

	text   uint64 // address that function entries count from: runtime.text
	gofunc uint64 // address that funcdata count from; 0 if not found, then no inlining is known
}

// header is runtime.pcHeader: magic, two zeros, quantum and pointer size, then words of 8 bytes.
const headerSize = 72

// open reads the header at an address of the image.
func open(im *image, base uint64) (*Table, error) {
	var raw [headerSize]byte
	if err := im.read(raw[:], base); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrNotGo, err)
	}
	t := &Table{image: im, base: base, magic: binary.LittleEndian.Uint32(raw[:]), quantum: uint64(raw[6])}
	if t.magic != magic118 && t.magic != magic120 || raw[4] != 0 || raw[5] != 0 ||
		raw[6] != 1 && raw[6] != 2 && raw[6] != 4 || raw[7] != 8 {
		return nil, fmt.Errorf("%w: the header is that of no known version (Go 1.18 to 1.26, 64 bit)", ErrNotGo)
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(raw[8+8*i:]) }
	if word(0) == 0 || word(0) > maxFunctions {
		return nil, fmt.Errorf("%w: it claims %d functions", ErrNotGo, word(0))
	}
	t.functions = uint32(word(0))
	t.text = word(2) // 0 from Go 1.26
	t.names, t.units, t.files, t.pcs, t.funcs = base+word(3), base+word(4), base+word(5), base+word(6), base+word(7)
	return t, nil
}

// function is runtime._func as far as it is used.
type function struct {
	entry  uint64 // address of its first instruction
	end    uint64 // address of the next function
	at     uint64 // address of the record
	name   uint32 // offset in names
	pcsp   uint32 // offsets in pcs
	pcfile uint32
	pcln   uint32
	npc    uint32 // number of pcdata
	unit   uint32
	start  int32 // line of its declaration, from Go 1.20
	nfunc  uint8 // number of funcdata
	id     uint8 // which function it is to the runtime
	flag   uint8
	tables uint64 // address of the pcdata offsets, the funcdata offsets behind them
}

// find searches the table of (entry offset, record offset) pairs for the function at an address.
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

// function reads a record: entryOff nameOff args deferreturn pcsp pcfile pcln npcdata cuOffset, in Go 1.20
// and later startLine, then funcID flag _ nfuncdata (runtime/runtime2.go, type _func).
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
