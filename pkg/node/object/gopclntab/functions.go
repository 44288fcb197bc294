package gopclntab

import (
	"encoding/binary"
	"fmt"
)

// Range is where a function's code is: addresses in the file's own numbering.
type Range struct{ Start, End uint64 }

// Functions finds the code of functions by their linker's names. Those that are everywhere inlined, or that the
// linker left out, are not in the result.
func (t *Table) Functions(names ...string) (map[string]Range, error) {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	found := map[string]Range{}
	var next [8]byte
	if err := t.image.read(next[:], t.funcs); err != nil {
		return nil, fmt.Errorf("function table of Go: %w", err)
	}
	for i := range t.functions {
		entry, record := binary.LittleEndian.Uint32(next[:]), binary.LittleEndian.Uint32(next[4:])
		if err := t.image.read(next[:], t.funcs+8*uint64(i+1)); err != nil {
			return nil, fmt.Errorf("function table of Go: %w", err)
		}
		var word [8]byte // entryOff nameOff
		if err := t.image.read(word[:], t.funcs+uint64(record)); err != nil {
			continue
		}
		name, err := t.image.text(t.names + uint64(binary.LittleEndian.Uint32(word[4:])))
		if err != nil || !wanted[name] {
			continue
		}
		found[name] = Range{t.text + uint64(entry), t.text + uint64(binary.LittleEndian.Uint32(next[:]))}
		if len(found) == len(wanted) {
			break
		}
	}
	return found, nil
}

// Place is what the table says of an address, but for lines.
type Place struct {
	Range // of the function
	// Calls has, for each function that is inlined there, innermost first, an address that stands for its call in the
	// caller and is no instruction of its own (runtime/symtabinl.go).
	Calls []uint64
	name  uint32
}

// PlaceOf gives the place of an address; io.EOF if that is in no function. It reads less than Lookup does.
func (t *Table) PlaceOf(address uint64) (Place, error) {
	f, err := t.find(address)
	if err != nil {
		return Place{}, err
	}
	p := Place{Range: Range{f.entry, f.end}, name: f.name}
	for call, err := range t.inlined(f, address) {
		if err != nil {
			return Place{Range: p.Range, name: f.name}, nil // as Lookup
		}
		if len(p.Calls) == 0 {
			p.name = call.name
		}
		p.Calls = append(p.Calls, call.parent)
	}
	return p, nil
}

// NameOf names the innermost function at a place.
func (t *Table) NameOf(p Place) (string, error) { return t.image.text(t.names + uint64(p.name)) }
