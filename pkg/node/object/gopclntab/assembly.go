package gopclntab

import (
	"encoding/binary"
	"fmt"
)

// Flags of functions, internal/abi/symtab.go.
const (
	flagTopFrame = 1 << 0
	flagSPWrite  = 1 << 1
	flagAssembly = 1 << 2
)

// Assembly is a function written in assembly. Such a function need not keep a frame pointer.
type Assembly struct {
	Name       string
	Start, End uint64 // addresses in the file's own numbering
	// Root is set where the runtime ends its stacks: the function has no caller, or changes the stack
	// pointer to that of another stack.
	Root   bool
	Deltas []Delta
}

// Delta is how far the stack pointer is below its place at the function's entry, from an address on.
type Delta struct {
	Address uint64
	Bytes   int32
}

// maxDeltaRows bounds the rows of one function; assembly has a few.
const maxDeltaRows = 256

// EachAssembly visits the program's functions that are written in assembly, by their addresses.
func (t *Table) EachAssembly(visit func(Assembly)) error {
	var next [8]byte
	if err := t.image.read(next[:], t.funcs); err != nil {
		return fmt.Errorf("function table of Go: %w", err)
	}
	for i := range t.functions {
		entry, record := binary.LittleEndian.Uint32(next[:]), binary.LittleEndian.Uint32(next[4:])
		if err := t.image.read(next[:], t.funcs+8*uint64(i+1)); err != nil {
			return fmt.Errorf("function table of Go: %w", err)
		}
		f, err := t.function(t.funcs + uint64(record))
		if err != nil || f.flag&flagAssembly == 0 {
			continue
		}
		f.entry, f.end = t.text+uint64(entry), t.text+uint64(binary.LittleEndian.Uint32(next[:]))
		a := Assembly{Start: f.entry, End: f.end, Root: f.flag&(flagTopFrame|flagSPWrite) != 0}
		if a.Name, err = t.image.text(t.names + uint64(f.name)); err != nil {
			continue
		}
		if a.Deltas, err = t.deltas(f); err == nil {
			visit(a)
		}
	}
	return nil
}

func (t *Table) deltas(f *function) ([]Delta, error) {
	var all []Delta
	for pc := f.entry; pc < f.end && len(all) < maxDeltaRows; {
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
