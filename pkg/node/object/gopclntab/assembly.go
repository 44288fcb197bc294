package gopclntab

// Flags of functions (internal/abi/symtab.go).
const (
	flagTopFrame = 1 << 0
	flagSPWrite  = 1 << 1
	flagAssembly = 1 << 2
)

// Assembly is a function written in assembly. It need not keep a frame pointer.
type Assembly struct {
	Name       string
	Start, End uint64 // addresses in the object's own numbering
	// Root is set for functions at which the runtime's tracebacks end: they have no caller, or they
	// change the stack pointer to another stack.
	Root   bool
	Deltas []Delta
}

// Delta is the distance of the stack pointer, from an address on, below its value at the function's
// entry.
type Delta struct {
	Address uint64
	Bytes   int32
}

// Limits on assembly. The largest programs have 4,000 functions, most of them with fewer than 20
// deltas.
const (
	maxDeltas        = 256     // of one function
	maxAssemblyBytes = 8 << 20 // of the names and deltas of all functions
	deltaBytes       = 16      // size of a Delta
)

// EachAssembly calls visit for each function that is written in assembly, in the order of the
// addresses. It skips functions that cannot be read. An error means that some were left out.
func (t *Table) EachAssembly(visit func(Assembly)) error {
	total := 0
	err := t.eachFunction(func(code Range, record uint64) bool {
		f, err := t.function(record)
		if err != nil || f.flag&flagAssembly == 0 {
			return true
		}
		f.entry, f.end = code.Start, code.End
		a := Assembly{Start: f.entry, End: f.end, Root: f.flag&(flagTopFrame|flagSPWrite) != 0}
		if a.Name, err = t.image.text(t.names + uint64(f.name)); err != nil {
			return true
		}
		if a.Deltas, err = t.deltas(f); err != nil {
			return true
		}
		if total += len(a.Name) + deltaBytes*(1+len(a.Deltas)); total > maxAssemblyBytes {
			return false
		}
		visit(a)
		return true
	})
	if err == nil && total > maxAssemblyBytes {
		err = t.image.file.Errorf("Go's function table has more than %d MiB of assembly functions", maxAssemblyBytes>>20)
	}
	return err
}

func (t *Table) deltas(f *function) ([]Delta, error) {
	var all []Delta
	for pc := f.entry; pc < f.end && len(all) < maxDeltas; {
		value, end, err := t.pcvalueUntil(f.pcsp, f, pc)
		if err != nil {
			return nil, err
		}
		if end <= pc {
			break
		}
		all = append(all, Delta{pc, value})
		pc = end
	}
	return all, nil
}
