package gopclntab

// Place is what the table has about an address, without files and lines.
type Place struct {
	Range // of the function
	// Calls has, for each function that is inlined at the address, innermost first, an address that
	// represents its call in the caller. It is not the address of an instruction
	// (runtime/symtabinl.go).
	Calls []uint64
	name  uint32
}

// PlaceOf returns the place of an address, or io.EOF if that is in no function. It reads less than
// Lookup.
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

// NameOf returns the name of the innermost function at a place.
func (t *Table) NameOf(p Place) (string, error) { return t.image.text(t.names + uint64(p.name)) }
