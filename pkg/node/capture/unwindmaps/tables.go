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

// Tables holds the unwind tables of objects in BPF maps, where the BPF program searches them. Memory is allocated
// in chunks when tables are loaded. It is bounded, because it counts against the target's memory limit.
type Tables struct {
	maps     *bpf.CPUMaps
	chunk    *ebpf.MapSpec
	chunks   []*ebpf.Map
	rules    *unwind.RuleSet
	runtimes runtimes.Set
	loaded   int // number of rules in the kernel
	next     int // number of the next free block; 0 stands for no table
	Rows     int // number of rows in the kernel
	Refused  int // number of objects that could not be read, or whose tables did not fit
	objects  map[*proc.File]*Object
	vdso     *Object
}

// Object locates the unwind table of an object file in the kernel.
type Object struct {
	segments object.CodeSegments
	parts    []tablePart // sorted by address; empty if the object has no table
	// process is what the unwinder needs to unwind the language runtime in the object. It is valid if
	// hasRuntime is set.
	process    bpf.CPUUnwindProcess
	hasRuntime bool
}

// tablePart is the part of a table that one index block refers to.
type tablePart struct {
	start, end uint64 // addresses in the object file
	base       uint64 // base of the rows' addresses
	index      uint32 // number of the index block
}

// blockRows is the number of rows in a block, and the number of blocks that an index block refers to.
const blockRows = len(bpf.CPUUnwindBlock{}.Address)

// noAddress fills the unused rows of a block. It is greater than every address that is searched.
const noAddress = 1<<32 - 1

var errTablesFull = errors.New("the memory for unwind tables is full")

// NewTables returns empty tables. They are loaded into maps, in chunks that are created from the map spec chunk.
// Objects of the given runtimes are also described to the unwinder.
func NewTables(maps *bpf.CPUMaps, chunk *ebpf.MapSpec, known runtimes.Set) *Tables {
	return &Tables{
		maps: maps, chunk: chunk, runtimes: known, rules: unwind.NewRuleSet(), next: 1, objects: map[*proc.File]*Object{},
	}
}

// Lookup returns the object of a mapping. The first call for an object compiles and loads its unwind table. An object
// that cannot be read, or whose table does not fit, has no table; its code is assumed to keep frame pointers.
func (t *Tables) Lookup(m *process.Mapping) *Object {
	if m.Path == proc.VDSOPath {
		if t.vdso == nil {
			t.vdso = t.newObject(nil, func() (*object.File, *unwind.Table, error) { return vdsoTable(t.rules) })
		}
		return t.vdso
	}
	if m.File == nil {
		return &Object{}
	}
	if o := t.objects[m.File]; o != nil {
		return o
	}
	o := t.newObject(t.runtimes, func() (*object.File, *unwind.Table, error) {
		f, err := object.Open(m.File)
		if err != nil {
			return nil, &unwind.Table{}, nil // not an ELF file
		}
		table, err := unwind.Compile(f, t.rules)
		return f, table, err
	})
	t.objects[m.File] = o
	return o
}

// HasTable reports whether a mapping's object has a table. The first call for an object loads it.
func (t *Tables) HasTable(m *process.Mapping) bool { return len(t.Lookup(m).parts) > 0 }

// newObject compiles and loads a table. debug/elf is not hardened against malicious files; if it panics, the object
// has no table.
func (t *Tables) newObject(known runtimes.Set, compile func() (*object.File, *unwind.Table, error)) (o *Object) {
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

// load loads a table into the kernel: first the new rules, then each part, which has one index block and up to
// blockRows blocks.
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
			part.end = table.Base + uint64(rows[n-1].Address) // the last row marks the end of the code
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

// loadPart loads an index block and the blocks of the given rows.
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

// grow allocates the chunk with the given number if it does not exist.
func (t *Tables) grow(number int) error {
	if number < len(t.chunks) {
		return nil
	}
	if number >= int(t.maps.UnwindChunks.MaxEntries()) {
		return errTablesFull
	}
	m, err := ebpf.NewMap(t.chunk)
	if err != nil {
		return fmt.Errorf("allocate memory for unwind tables: %w", err)
	}
	if err := t.maps.UnwindChunks.Put(uint32(number), m); err != nil {
		m.Close()
		return fmt.Errorf("allocate memory for unwind tables: %w", err)
	}
	t.chunks = append(t.chunks, m)
	return nil
}

// loadRules loads the rules that are not in the kernel yet.
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

// Bytes returns the size of the kernel memory for tables.
func (t *Tables) Bytes() int {
	return len(t.chunks) * int(t.chunk.MaxEntries*t.chunk.ValueSize)
}

// Close frees the kernel memory.
func (t *Tables) Close() error {
	var errs []error
	for _, m := range t.chunks {
		errs = append(errs, m.Close())
	}
	t.chunks = nil
	return errors.Join(errs...)
}
