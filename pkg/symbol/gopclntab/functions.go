package gopclntab

import "fmt"

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
		entry, record := t.order.Uint32(next[:]), t.order.Uint32(next[4:])
		if err := t.image.read(next[:], t.funcs+8*uint64(i+1)); err != nil {
			return nil, fmt.Errorf("function table of Go: %w", err)
		}
		var word [8]byte // entryOff nameOff
		if err := t.image.read(word[:], t.funcs+uint64(record)); err != nil {
			continue
		}
		name, err := t.image.text(t.names + uint64(t.order.Uint32(word[4:])))
		if err != nil || !wanted[name] {
			continue
		}
		found[name] = Range{t.text + uint64(entry), t.text + uint64(t.order.Uint32(next[:]))}
		if len(found) == len(wanted) {
			break
		}
	}
	return found, nil
}

// EntryOf is where the function at an address begins; io.EOF if there is none.
func (t *Table) EntryOf(address uint64) (uint64, error) {
	f, err := t.find(address)
	if err != nil {
		return 0, err
	}
	return f.entry, nil
}
