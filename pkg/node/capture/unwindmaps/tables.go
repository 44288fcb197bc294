//go:build linux

package unwindmaps

import (
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"sync"

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

	mu      sync.Mutex // for what follows; it is not held while a table is compiled
	stats   Stats
	objects map[*proc.File]*objectTable
	vdso    *objectTable
}

// Stats describes the tables that are loaded.
type Stats struct {
	Rows    int      // number of rows in the kernel
	Bytes   int      // kernel memory
	Refused int      // number of objects that could not be read, or whose tables did not fit completely
	Reasons []string // why the first of these were refused
}

// maxReasons bounds Stats.Reasons.
const maxReasons = 5

// objectTable locates the unwind table of an object file in the kernel.
type objectTable struct {
	segments object.CodeSegments
	parts    []tablePart // sorted by address; empty if the object has no table
	// process is what the unwinder needs to unwind the language runtime in the object. It is valid if
	// hasRuntime is set.
	process    bpf.CPUUnwindProcess
	hasRuntime bool
	code       runtimes.Code // nil if the object holds no code of a runtime
	is32Bit    bool
}

// tablePart is the part of a table that one index block refers to.
type tablePart struct {
	start, end uint64 // addresses in the object file
	base       uint64 // base of the rows' addresses
	index      uint32 // number of the index block
}

// blockRows is the number of rows in a block, and the number of blocks that an index block refers to.
const blockRows = len(bpf.CPUUnwindBlock{}.Address)

// framePointerRule is the number of the rule to follow frame pointers in every unwind.RuleSet.
const framePointerRule = 0

// noAddress fills the unused rows of a block. It is greater than every address that is searched.
const noAddress = 1<<32 - 1

var errTablesFull = errors.New("the memory for unwind tables is full")

// NewTables returns empty tables. They are loaded into maps, in chunks that are created from the map spec chunk.
// Objects of the given runtimes are also described to the unwinder.
func NewTables(maps *bpf.CPUMaps, chunk *ebpf.MapSpec, known runtimes.Set) *Tables {
	return &Tables{
		maps: maps, chunk: chunk, runtimes: known, rules: unwind.NewRuleSet(), next: 1, objects: map[*proc.File]*objectTable{},
	}
}

// lookup returns the object of a mapping. The first call for an object compiles and loads its unwind table. An object
// that cannot be read has no table, and one whose table does not fit a part of it; other code is assumed to keep frame
// pointers. lookup must not be called concurrently.
func (t *Tables) lookup(m *process.Mapping) *objectTable {
	o, known := t.find(m)
	if known {
		return o
	}
	o = &objectTable{}
	var err error
	if m.Path == proc.VDSOPath {
		err = t.addVDSO(o)
	} else {
		err = t.addFile(o, m.File)
	}
	if err != nil {
		t.refuse(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.Path == proc.VDSOPath {
		t.vdso = o
	} else {
		t.objects[m.File] = o
	}
	return o
}

// find returns the object of a mapping, and false if it has not been loaded yet.
func (t *Tables) find(m *process.Mapping) (o *objectTable, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case m.Path == proc.VDSOPath:
		o = t.vdso
	case m.File == nil:
		return &objectTable{}, true
	default:
		o = t.objects[m.File]
	}
	return o, o != nil
}

// HasTable reports whether a mapping's object has an unwind table. It reports true for an object that has not been
// loaded yet, because most objects have one. It may be called concurrently.
func (t *Tables) HasTable(m *process.Mapping) bool {
	o, known := t.find(m)
	return !known || len(o.parts) > 0
}

// Is32Bit reports whether a mapping holds code of a 32-bit program, as far as that is known. It may be called
// concurrently.
func (t *Tables) Is32Bit(m *process.Mapping) bool {
	if m.Path == proc.VDSOPath {
		return m.End < 1<<32 // 64-bit programs have it near the end of their addresses
	}
	o, known := t.find(m)
	return known && o.is32Bit
}

// Code returns the code of a language runtime in a mapping's object. It returns nil if there is none, or if the object has
// not been loaded yet. It may be called concurrently.
func (t *Tables) Code(m *process.Mapping) runtimes.Code {
	o, known := t.find(m)
	if !known {
		return nil
	}
	return o.code
}

// addFile sets what is known of an object file, and loads its table. A file that is not an object has none.
func (t *Tables) addFile(o *objectTable, file *proc.File) error {
	file.BuildID() // which the profile will need; later calls return what the first has read
	f, err := object.Open(file)
	if errors.Is(err, object.ErrNotELF) {
		return nil
	}
	if err != nil {
		return err
	}
	return cmp.Or(t.addTable(o, f, unwind.Compile), t.addCode(o, file))
}

// addVDSO loads the table of the vDSO, which the kernel maps into every process.
func (t *Tables) addVDSO(o *objectTable) error {
	f, err := object.Open(bytes.NewReader(proc.VDSO()))
	if err != nil {
		return err
	}
	return t.addTable(o, f, unwind.CompileVDSO)
}

// addTable compiles and loads the table of an object, and describes its language runtime.
func (t *Tables) addTable(o *objectTable, f *object.File, compile func(*object.File, *unwind.RuleSet) (*unwind.Table, error)) error {
	table, err := compile(f, t.rules)
	if err != nil {
		return err
	}
	o.segments, o.is32Bit = f.CodeSegments(), f.Class == elf.ELFCLASS32
	o.hasRuntime = t.runtimes.DescribeToBPF(f, &o.process)
	if err = t.load(o, table); errors.Is(err, errTablesFull) {
		err = f.Errorf("%w", err)
	}
	return err
}

// addCode finds the code of a language runtime. It opens the file again, because the code is in use for the whole capture:
// what the table has cost does not count against it.
func (t *Tables) addCode(o *objectTable, file *proc.File) error {
	f, err := object.Open(file)
	if err == nil {
		o.code = t.runtimes.OpenCode(f)
	}
	return err
}

// refuse records why an object has no table, or a part of it only.
func (t *Tables) refuse(reason error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Refused++
	if len(t.stats.Reasons) < maxReasons {
		t.stats.Reasons = append(t.stats.Reasons, reason.Error())
	}
}

// load loads a table into the kernel, in parts. After an error the object has the parts that are complete, if any.
func (t *Tables) load(o *objectTable, table *unwind.Table) error {
	w := &partWriter{Tables: t}
	for row, err := range table.Rows() {
		if err != nil {
			return err
		}
		if w.rows == blockRows*blockRows {
			if err := w.finish(o, table.Base+uint64(row.Address), table.Base); err != nil {
				return err
			}
		}
		if err := w.add(row, table.Base); err != nil {
			return err
		}
	}
	if w.rows == 0 {
		return nil
	}
	return w.finish(o, table.Base+noAddress, table.Base) // the last row holds to the end of the code
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

// Stats returns what is loaded. It may be called concurrently.
func (t *Tables) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
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
