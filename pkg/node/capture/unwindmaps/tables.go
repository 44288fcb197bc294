//go:build linux

package unwindmaps

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/unwind"
)

// Tables are the objects' unwind tables in the kernel, where the BPF program searches them. Their
// memory is taken in chunks as objects come, and counts against the target's limit, so it is bounded.
type Tables struct {
	maps     *bpf.CPUMaps
	chunk    *ebpf.MapSpec
	chunks   []*ebpf.Map
	rules    *unwind.RuleSet
	runtimes runtimes.Set
	loaded   int // rules that are in the kernel
	next     int // number of the next free block; 0 says that there is no table
	Rows     int
	Refused  int // objects for whose tables there was no room, or that could not be read
	objects  map[*proc.File]*Object
	vdso     *Object
}

// Object says where the table of an object is.
type Object struct {
	segments object.CodeSegments
	parts    []tablePart // in the order of their addresses; none if the object has no table
	// process has what the language runtime in the object needs of the unwinder, if hasRuntime is set.
	process    bpf.CPUUnwindProcess
	hasRuntime bool
}

// tablePart is as much of a table as one index block leads to.
type tablePart struct {
	start, end uint64 // addresses in the object's own numbering
	base       uint64 // of the rows' addresses
	index      uint32 // number of the index block
}

// blockRows is the number of rows in a block, and of blocks that an index block leads to.
const blockRows = len(bpf.CPUUnwindBlock{}.Address)

// noAddress fills the rows that a block does not use: it is above all that are searched for.
const noAddress = 1<<32 - 1

var errTablesFull = errors.New("no room for further unwind tables")

// NewTables returns tables that are loaded into maps, in chunks that are maps like chunk. Objects of the given runtimes are
// described to the unwinder, too.
func NewTables(maps *bpf.CPUMaps, chunk *ebpf.MapSpec, known runtimes.Set) *Tables {
	return &Tables{
		maps: maps, chunk: chunk, runtimes: known, rules: unwind.NewRuleSet(), next: 1, objects: map[*proc.File]*Object{},
	}
}

// Lookup gives an object's table, which it makes and loads the first time. An object that cannot be read, or
// for which there is no room, has none: its code is then taken to keep frame pointers.
func (t *Tables) Lookup(m *process.Mapping) *Object {
	if m.Path == proc.VDSOPath {
		if t.vdso == nil {
			t.vdso = t.make(nil, func() (*object.File, *unwind.Table, error) { return vdsoTable(t.rules) })
		}
		return t.vdso
	}
	if m.File == nil {
		return &Object{}
	}
	if o := t.objects[m.File]; o != nil {
		return o
	}
	o := t.make(t.runtimes, func() (*object.File, *unwind.Table, error) {
		f, err := object.Open(m.File)
		if err != nil {
			return nil, &unwind.Table{}, nil // not an object at all
		}
		table, err := unwind.Compile(f, t.rules)
		return f, table, err
	})
	t.objects[m.File] = o
	return o
}

// HasTable reports whether a mapping's object has a table. It loads it the first time.
func (t *Tables) HasTable(m *process.Mapping) bool { return len(t.Lookup(m).parts) > 0 }

// make compiles and loads a table. The standard library's reader of ELF is not made for hostile files:
// should it panic, the object has no table.
func (t *Tables) make(known runtimes.Set, compile func() (*object.File, *unwind.Table, error)) (o *Object) {
	o = &Object{}
	defer func() {
		if recover() != nil {
			o.parts = nil
			t.Refused++
		}
	}()
	f, table, err := compile()
	if err == nil && f != nil {
		o.segments = f.CodeSegments()
		o.hasRuntime = known.DescribeToBPF(f, &o.process)
		err = t.load(o, table)
	}
	if err != nil {
		o.parts = nil
		t.Refused++
	}
	return o
}

// load puts a table into the kernel: rules first, then blocks, and an index block for as many as it can
// lead to.
func (t *Tables) load(o *Object, table *unwind.Table) error {
	if err := t.loadRules(); err != nil {
		return err
	}
	for rows := table.Rows; len(rows) > 0; {
		n := min(len(rows), blockRows*blockRows)
		part := tablePart{start: table.Base + uint64(rows[0].Address), base: table.Base, index: uint32(t.next)}
		if n < len(rows) {
			part.end = table.Base + uint64(rows[n].Address)
		} else {
			part.end = table.Base + uint64(rows[n-1].Address) // the last row has no code
		}
		if err := t.loadPart(rows[:n]); err != nil {
			return err
		}
		o.parts = append(o.parts, part)
		t.Rows += n
		rows = rows[n:]
	}
	return nil
}

func (t *Tables) loadPart(rows []unwind.Row) error {
	count := (len(rows) + blockRows - 1) / blockRows
	index := emptyBlock()
	blocks := make([]bpf.CPUUnwindBlock, 1, 1+count)
	for i := range count {
		b := emptyBlock()
		for j, row := range rows[i*blockRows : min((i+1)*blockRows, len(rows))] {
			b.Address[j], b.Rule[j] = row.Address, row.Rule
		}
		index.Address[i] = b.Address[0]
		blocks = append(blocks, b)
	}
	blocks[0] = index
	for len(blocks) > 0 {
		perChunk := int(t.chunk.MaxEntries)
		number, at := t.next/perChunk, t.next%perChunk
		if err := t.grow(number); err != nil {
			return err
		}
		n := min(len(blocks), perChunk-at)
		keys := make([]uint32, n)
		for i := range keys {
			keys[i] = uint32(at + i)
		}
		if _, err := t.chunks[number].BatchUpdate(keys, blocks[:n], nil); err != nil {
			return fmt.Errorf("load unwind table: %w", err)
		}
		t.next += n
		blocks = blocks[n:]
	}
	return nil
}

func emptyBlock() bpf.CPUUnwindBlock {
	var b bpf.CPUUnwindBlock
	for i := range b.Address {
		b.Address[i] = noAddress
	}
	return b
}

// grow takes memory for the chunk of that number, if it is not there.
func (t *Tables) grow(number int) error {
	if number < len(t.chunks) {
		return nil
	}
	if number >= int(t.maps.UnwindChunks.MaxEntries()) {
		return errTablesFull
	}
	m, err := ebpf.NewMap(t.chunk)
	if err != nil {
		return fmt.Errorf("memory for unwind tables: %w", err)
	}
	if err := t.maps.UnwindChunks.Put(uint32(number), m); err != nil {
		m.Close()
		return fmt.Errorf("memory for unwind tables: %w", err)
	}
	t.chunks = append(t.chunks, m)
	return nil
}

func (t *Tables) loadRules() error {
	all := t.rules.All()
	for ; t.loaded < len(all); t.loaded++ {
		r := all[t.loaded]
		if err := t.maps.UnwindRules.Put(uint32(t.loaded), bpf.CPUUnwindRule{
			Cfa: uint8(r.CFA), CfaRegister: r.Reg, Ra: uint8(r.RA), Fp: uint8(r.FP),
			CfaOffset: r.Offset, CfaAdd: r.Add, RaOffset: r.RAOffset, FpOffset: r.FPOffset,
		}); err != nil {
			return fmt.Errorf("load unwind rules: %w", err)
		}
	}
	return nil
}

// Bytes is the kernel's memory for tables.
func (t *Tables) Bytes() int {
	return len(t.chunks) * int(t.chunk.MaxEntries*t.chunk.ValueSize)
}

func (t *Tables) Close() error {
	var errs []error
	for _, m := range t.chunks {
		errs = append(errs, m.Close())
	}
	t.chunks = nil
	return errors.Join(errs...)
}
