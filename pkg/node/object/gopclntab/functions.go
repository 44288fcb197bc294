package gopclntab

import (
	"encoding/binary"
	"fmt"
)

// Range is where a function's code is, in the object's own numbering.
type Range struct{ Start, End uint64 }

// Functions returns the code of functions by their linker's names. It does not contain functions
// that are inlined everywhere, or that the linker removed.
func (t *Table) Functions(names ...string) (map[string]Range, error) {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	found := map[string]Range{}
	err := t.eachFunction(func(code Range, record uint64) bool {
		var raw [8]byte // the beginning of runtime._func: entryOff nameOff
		if t.image.read(raw[:], record) != nil {
			return true
		}
		name, err := t.image.text(t.names + uint64(binary.LittleEndian.Uint32(raw[4:])))
		if err == nil && wanted[name] {
			found[name] = code
		}
		return len(found) < len(wanted)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Code returns the range of all functions.
func (t *Table) Code() (Range, error) {
	var first, last [4]byte
	if err := t.image.read(first[:], t.funcs); err != nil {
		return Range{}, fmt.Errorf("function table of Go: %w", err)
	}
	if err := t.image.read(last[:], t.funcs+8*uint64(t.functions)); err != nil {
		return Range{}, fmt.Errorf("function table of Go: %w", err)
	}
	return Range{t.text + uint64(binary.LittleEndian.Uint32(first[:])), t.text + uint64(binary.LittleEndian.Uint32(last[:]))}, nil
}
