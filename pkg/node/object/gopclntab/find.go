package gopclntab

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// maxScan bounds the bytes that are searched through for the table and for what points to it, all
// searches together: a program of 500 MB with cgo and PIE has this much.
const maxScan = 1 << 30

// Open finds the function table of a Go program or shared object. The error wraps ErrNotGo if there
// is none.
func Open(f *object.File) (*Table, error) {
	im := newImage(f)
	t, err := findTable(f, im)
	if err != nil {
		return nil, err
	}
	return t, t.readModuledata(f)
}

// findTable looks where the linker puts the table: in a section of its own, but for programs linked
// with cgo and PIE up to Go 1.25, where it lies in .data.rel.ro without a name.
func findTable(f *object.File, im *image) (*Table, error) {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		if s := f.Section(name); s != nil && s.Type == elf.SHT_PROGBITS {
			if t, err := open(im, s.Addr); err == nil {
				return t, nil
			}
		}
	}
	if f.Section(".go.buildinfo") == nil && len(f.Sections) > 0 {
		return nil, ErrNotGo // not worth a scan
	}
	for _, part := range parts(f, ".data.rel.ro", ".rodata") {
		for _, magic := range []uint32{magic120, magic118} {
			// The magic number, two zeros, a quantum of 1 or 4 and a pointer size of 8.
			for _, quantum := range []byte{1, 4} {
				pattern := append(binary.LittleEndian.AppendUint32(nil, magic), 0, 0, quantum, 8)
				var found *Table
				part.search(im, pattern, func(address uint64) bool {
					found, _ = open(im, address)
					return found == nil
				})
				if found != nil {
					return found, nil
				}
			}
		}
	}
	return nil, ErrNotGo
}

// part is a range of addresses to search.
type part struct{ start, size uint64 }

// parts gives the named sections; the loadable segments if the file has no sections at all.
func parts(f *object.File, names ...string) []part {
	var all []part
	for _, s := range f.Sections {
		if slices.Contains(names, s.Name) && s.Type == elf.SHT_PROGBITS {
			all = append(all, part{s.Addr, s.FileSize})
		}
	}
	if len(f.Sections) == 0 {
		for _, p := range f.Segments {
			if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X == 0 {
				all = append(all, part{p.Vaddr, p.Filesz})
			}
		}
	}
	return all
}

// search visits the 8-byte-aligned places of a pattern of 8 bytes, until visit gives false. It reads
// past the cache of pages, which it would only flush.
func (p part) search(im *image, pattern []byte, visit func(address uint64) bool) {
	buf := make([]byte, 64<<10)
	for done := uint64(0); done < p.size; done += uint64(len(buf)) {
		chunk := buf[:min(uint64(len(buf)), p.size-done)]
		n := im.readThrough(chunk, p.start+done)
		if n == 0 {
			return
		}
		for i := 0; i+8 <= n; {
			hit := bytes.Index(chunk[i:n], pattern)
			if hit < 0 {
				break
			}
			i += hit
			if i%8 == 0 && !visit(p.start+done+uint64(i)) {
				return
			}
			i++
		}
	}
}

// readThrough reads without the cache, and gives the number of bytes.
func (im *image) readThrough(b []byte, address uint64) int {
	offset, size, ok := im.file.Offset(address)
	if !ok {
		return 0
	}
	b = b[:min(uint64(len(b)), size, im.unread)]
	im.unread -= uint64(len(b))
	n, _ := im.file.ReadAt(b, int64(offset))
	return n
}

// Offsets in runtime.moduledata, which begins with a pointer to the table (runtime/symtab.go of Go 1.18
// to 1.26; the fields before text never moved, gofunc moved once, when 1.20 added two before it).
const (
	moduleNames      = 8
	moduleText       = 176
	moduleGofunc118  = 304
	moduleGofunc120  = 320
	moduleTextAndAll = 328
)

// readModuledata finds what the table itself does not say: where code and funcdata begin.
func (t *Table) readModuledata(f *object.File) error {
	words, err := t.findModuledata(f)
	if err != nil {
		if t.text == 0 {
			return err
		}
		return nil // without it nothing is missing but inlined calls
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

// moduledata reads words of the module data; relocations are what the dynamic linker will write there.
type moduledata struct {
	t           *Table
	address     uint64
	relocations map[uint64]uint64
}

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

// plausible: its second field points to the table's names.
func (m moduledata) plausible() bool { return m.at(moduleNames) == m.t.names }

// findModuledata looks for a pointer to the table, in the data or, in a position-independent program,
// in what the dynamic linker is told to write.
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

// findRelocated searches R_*_RELATIVE relocations: offset, type, addend, each 8 bytes.
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
			if offset >= start && offset < start+moduleTextAndAll {
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
