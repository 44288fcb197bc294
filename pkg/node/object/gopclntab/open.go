package gopclntab

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// maxScan limits what is searched for the table and for pointers to it, in bytes, by all searches
// together. A program of 500 MB with cgo and PIE needs this much.
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

// findTable looks where the linker puts the table. It has a section of its own, except in programs
// with cgo and PIE up to Go 1.25, where it is somewhere in .data.rel.ro.
func findTable(f *object.File, im *image) (*Table, error) {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		if s := f.Section(name); s != nil && s.Type == elf.SHT_PROGBITS {
			if t, err := open(im, s.Addr); err == nil {
				return t, nil
			}
		}
	}
	if f.Section(".go.buildinfo") == nil && len(f.Sections) > 0 {
		return nil, ErrNotGo // without a search, which takes long
	}
	for _, part := range parts(f, ".data.rel.ro", ".rodata") {
		for _, magic := range []uint32{magic120, magic118} {
			// The magic number, two zeros, the instruction quantum and the pointer size.
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

// parts returns the named sections, or the data segments if the file has no sections at all.
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

// search calls visit with the addresses of a pattern of 8 bytes that are multiples of 8, until
// visit returns false. It does not use the cache of pages, because it would only flush it.
func (p part) search(im *image, pattern []byte, visit func(address uint64) bool) {
	buf := make([]byte, 64<<10)
	for done := uint64(0); done < p.size; done += uint64(len(buf)) {
		chunk := buf[:min(uint64(len(buf)), p.size-done)]
		n := im.readUncached(chunk, p.start+done)
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

// readUncached reads without the cache. It returns the number of bytes.
func (im *image) readUncached(b []byte, address uint64) int {
	offset, size, ok := im.file.Offset(address)
	if !ok {
		return 0
	}
	b = b[:min(uint64(len(b)), size, im.unread)]
	im.unread -= uint64(len(b))
	n, _ := im.file.ReadAt(b, int64(offset))
	return n
}
