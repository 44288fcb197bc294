package gopclntab

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// Offsets in runtime.moduledata, which begins with a pointer to the table (runtime/symtab.go of Go
// 1.18 to 1.26). The fields up to text have never moved. gofunc moved when Go 1.20 added two fields
// before it.
const (
	moduleNames     = 8
	moduleText      = 176
	moduleGofunc118 = 304
	moduleGofunc120 = 320
	moduleSize      = 328 // as far as it is used
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
	gofunc := words.at(moduleGofunc120)
	if t.magic == magic118 {
		gofunc = words.at(moduleGofunc118)
	}
	if text := words.at(moduleText); text != 0 {
		t.text = text
	}
	t.gofunc = gofunc
	return nil
}

// moduledata is the module data at an address. relocations has, by address, the words that the
// dynamic linker will write.
type moduledata struct {
	t           *Table
	address     uint64
	relocations map[uint64]uint64
}

// at returns the word at an offset, or 0 if it cannot be read.
func (m moduledata) at(offset uint64) uint64 {
	if value, ok := m.relocations[m.address+offset]; ok {
		return value
	}
	var raw [8]byte
	if err := m.t.image.read(raw[:], m.address+offset); err != nil {
		return 0
	}
	return binary.LittleEndian.Uint64(raw[:])
}

// plausible reports whether the second field points to the table's names.
func (m moduledata) plausible() bool { return m.at(moduleNames) == m.t.names }

// findModuledata searches for a pointer to the table in the data or, in a position-independent
// program, in the relocations.
func (t *Table) findModuledata(f *object.File) (moduledata, error) {
	found := moduledata{t: t}
	pattern := binary.LittleEndian.AppendUint64(nil, t.base)
	for _, part := range parts(f, ".go.module", ".noptrdata", ".data", ".data.rel.ro") {
		part.search(t.image, pattern, func(address uint64) bool {
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

// findRelocated searches the relocations for module data that begins with a pointer to the table.
func (t *Table) findRelocated(f *object.File) (moduledata, error) {
	var starts []uint64
	err := t.image.eachRelative(f, func(offset, value uint64) {
		if value == t.base && len(starts) < 64 {
			starts = append(starts, offset)
		}
	})
	if err != nil || len(starts) == 0 {
		return moduledata{}, errors.Join(fmt.Errorf("%w: its module data was not found", ErrNotGo), err)
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
	return moduledata{}, fmt.Errorf("%w: its module data was not found", ErrNotGo)
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
		for r, err := range object.Relocations(s, size) {
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
