package gopclntab

import (
	"debug/elf"
	"encoding/binary"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// maxScan limits what is searched for the table and for pointers to it, in bytes, by all searches
// together. A program of 500 MB with cgo and PIE needs less than this.
const maxScan = 1 << 29

// Open finds the function table of a Go program or shared object. It returns an error if there
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
	if f.Section(".go.buildinfo") == nil && !f.SectionsRemoved {
		return nil, errNotGo // without a search, which takes long
	}
	for _, part := range parts(f, ".data.rel.ro", ".rodata") {
		var found *Table
		part.search(im, 8, isHeader, func(address uint64) bool {
			found, _ = open(im, address)
			return found == nil
		})
		if found != nil {
			return found, nil
		}
	}
	return nil, errNotGo
}

// isHeader reports whether a word may begin the table: with a magic number, two zeros, the
// instruction quantum and the pointer size.
func isHeader(word uint64) bool {
	magic, quantum := uint32(word), byte(word>>48)
	return (magic == magic120 || magic == magic118) && word>>32&0xffff == 0 && (quantum == 1 || quantum == 4) && (word>>56 == 8 || word>>56 == 4)
}

// part is a range of addresses to search.
type part struct{ start, size uint64 }

// parts returns the named sections. If the file has no section headers it returns the segments, those with
// code last, because linkers may put constants there.
func parts(f *object.File, names ...string) []part {
	var all, code []part
	if !f.SectionsRemoved {
		for _, s := range f.Sections {
			if slices.Contains(names, s.Name) && s.Type == elf.SHT_PROGBITS {
				all = append(all, part{s.Addr, s.FileSize})
			}
		}
		return all
	}
	for _, p := range f.Segments {
		switch {
		case p.Type != elf.PT_LOAD:
		case p.Flags&elf.PF_X != 0:
			code = append(code, part{p.Vaddr, p.Filesz})
		default:
			all = append(all, part{p.Vaddr, p.Filesz})
		}
	}
	return append(all, code...)
}

// maxCandidates limits the words of one part that look like what is searched for. Programs have a
// few.
const maxCandidates = 1 << 10

// search calls visit with the addresses of the words of 8 or 4 bytes that match, at multiples of that
// size, until visit returns false. It does not use the cache of pages, because it would only flush it.
func (p part) search(im *image, size int, match func(word uint64) bool, visit func(address uint64) bool) {
	buf := make([]byte, min(p.size, 64<<10))
	candidates := 0
	for done := uint64(0); done < p.size; done += uint64(len(buf)) {
		chunk := buf[:min(uint64(len(buf)), p.size-done)]
		n := im.readUncached(chunk, p.start+done)
		if n == 0 {
			return
		}
		for i := 0; i+size <= n; i += size {
			if !match(littleEndian(chunk[i:], size)) {
				continue
			}
			if candidates++; candidates > maxCandidates || !visit(p.start+done+uint64(i)) {
				return
			}
		}
	}
}

// littleEndian decodes a word of 8 or 4 bytes.
func littleEndian(b []byte, size int) uint64 {
	if size == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
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
