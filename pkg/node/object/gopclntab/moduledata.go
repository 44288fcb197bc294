package gopclntab

import (
	"debug/elf"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// Offsets in runtime.moduledata of 64-bit programs, which begins with a pointer to the table
// (runtime/symtab.go of Go 1.18 to 1.27). All fields are words, so the offsets in 32-bit programs are
// half. The fields up to types have never moved since Go 1.20. gofunc moved when Go 1.20 and 1.27
// added fields before it.
const (
	moduleNames     = 8
	moduleText      = 176
	moduleTypes     = 296
	moduleEtypes    = 304 // until Go 1.26; then typedesclen, a length
	moduleGofunc118 = 304
	moduleGofunc120 = 320
	moduleGofunc127 = 344
	moduleSize      = 352 // as far as it is used
)

// readModuledata finds where code and funcdata begin, which is not in the table itself.
func (t *Table) readModuledata(f *object.File) error {
	words, err := t.findModuledata(f)
	if err != nil {
		if t.text == 0 {
			return err
		}
		return nil // only inlined calls are missing
	}
	t.moduledata = words.address
	offset := uint64(moduleGofunc120)
	switch {
	case t.magic == magic118:
		offset = moduleGofunc118
	case words.at(moduleEtypes) < words.at(moduleTypes):
		offset = moduleGofunc127
	}
	gofunc := words.at(offset)
	if text := words.at(moduleText); text != 0 {
		t.text = text
	}
	t.gofunc = gofunc
	return nil
}

// Moduledata returns the address of the program's runtime.moduledata, or 0 if it was not found.
func (t *Table) Moduledata() uint64 { return t.moduledata }

// moduledata is the module data at an address. relocations has, by address, the words that the
// dynamic linker will write.
type moduledata struct {
	t           *Table
	address     uint64
	relocations map[uint64]uint64
}

// at returns the word at an offset, or 0 if it cannot be read.
func (m moduledata) at(offset uint64) uint64 {
	offset = offset * uint64(m.t.pointer) / 8
	if value, ok := m.relocations[m.address+offset]; ok {
		return value
	}
	var raw [8]byte
	if err := m.t.image.read(raw[:m.t.pointer], m.address+offset); err != nil {
		return 0
	}
	return littleEndian(raw[:], m.t.pointer)
}

// plausible reports whether the second field points to the table's names.
func (m moduledata) plausible() bool { return m.at(moduleNames) == m.t.names }

// findModuledata searches for a pointer to the table in the data or, in a position-independent
// program, in the relocations.
func (t *Table) findModuledata(f *object.File) (moduledata, error) {
	found := moduledata{t: t}
	pointer := func(word uint64) bool { return word == t.base }
	for _, part := range parts(f, ".go.module", ".noptrdata", ".data", ".data.rel.ro") {
		part.search(t.image, t.pointer, pointer, func(address uint64) bool {
			if m := (moduledata{t: t, address: address}); m.plausible() {
				found = m
			}
			return found.address == 0
		})
		if found.address != 0 {
			return found, nil
		}
	}
	return t.findRelocated(f)
}

// maxPointers limits the relocated pointers to the table that may begin the module data. A program
// has one or two.
const maxPointers = 8

// findRelocated searches the relocations for module data that begins with a pointer to the table.
func (t *Table) findRelocated(f *object.File) (moduledata, error) {
	var starts []uint64
	err := t.image.eachRelative(f, func(offset, value uint64) {
		if value == t.base && len(starts) < maxPointers {
			starts = append(starts, offset)
		}
	})
	if err != nil || len(starts) == 0 {
		return moduledata{}, errors.Join(fmt.Errorf("%w: its module data was not found", errNotGo), err)
	}
	words := map[uint64]uint64{}
	err = t.image.eachRelative(f, func(offset, value uint64) {
		for _, start := range starts {
			if offset >= start && offset < start+moduleSize {
				words[offset] = value
			}
		}
	})
	for _, start := range starts {
		if m := (moduledata{t, start, words}); m.plausible() {
			return m, err
		}
	}
	return moduledata{}, fmt.Errorf("%w: its module data was not found", errNotGo)
}

// eachRelative calls visit for each word to which the dynamic linker writes a value that depends
// only on where the object is loaded.
func (im *image) eachRelative(f *object.File, visit func(offset, value uint64)) error {
	relative := uint32(elf.R_X86_64_RELATIVE)
	if f.Machine == elf.EM_AARCH64 {
		relative = uint32(elf.R_AARCH64_RELATIVE)
	}
	for _, s := range f.RelocationSections() {
		if !strings.HasPrefix(s.Name, ".rela") {
			continue
		}
		size := min(s.FileSize, im.unread)
		im.unread -= size
		for r, err := range f.Relocations(s, size) {
			if err != nil {
				return err
			}
			if r.Type == relative && r.Symbol == 0 {
				visit(r.Address, r.Addend)
			}
		}
	}
	return nil
}
