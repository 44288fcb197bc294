// Package objecttest makes hostile ELF objects for tests: small ones that claim to be large. Its
// entry point is Image.Reader. Only tests may import it.
package objecttest

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"io"
	"slices"
)

// Image describes an object. What no data cover reads as zeros, as a hole of a sparse file does.
type Image struct {
	Machine  elf.Machine // amd64 if it is 0
	Segments []elf.Prog64
	Sections []Section // the first has the index 1
	Data     map[uint64][]byte
	// Size is the size of the file, in bytes. The headers come behind it.
	Size uint64
}

// Section is the header of a section.
type Section struct {
	Name               string
	Type               elf.SectionType
	Flags              elf.SectionFlag
	Addr, Offset, Size uint64
	Link               uint32
}

// Reader reads an object. It counts the reads and their bytes.
type Reader struct {
	parts []part
	size  int64

	Reads, Bytes int64
}

type part struct {
	offset int64
	data   []byte
}

// Reader returns the object as a file.
func (i Image) Reader() *Reader {
	i.Size = max(i.Size, 64)
	names, headers := []byte{0}, []elf.Section64{{}}
	offsets := map[string]uint32{}
	for _, s := range append(slices.Clone(i.Sections), Section{Name: ".shstrtab", Type: elf.SHT_STRTAB, Offset: i.Size}) {
		if _, ok := offsets[s.Name]; !ok {
			offsets[s.Name] = uint32(len(names))
			names = append(append(names, s.Name...), 0)
		}
		headers = append(headers, elf.Section64{
			Name: offsets[s.Name], Type: uint32(s.Type), Flags: uint64(s.Flags), Addr: s.Addr, Off: s.Offset, Size: s.Size, Link: s.Link,
		})
	}
	last := len(headers) - 1
	headers[last].Size = uint64(len(names))
	tables := (i.Size + uint64(len(names)) + 63) &^ 63
	h := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(cmp.Or(i.Machine, elf.EM_X86_64)), Version: uint32(elf.EV_CURRENT), Ehsize: 64,
		Shoff: tables, Shentsize: 64, Shnum: uint16(len(headers)), Shstrndx: uint16(last),
		Phoff: tables + 64*uint64(len(headers)), Phentsize: 56, Phnum: uint16(len(i.Segments)),
	}
	copy(h.Ident[:], []byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)})
	r := &Reader{}
	r.add(0, encode(h))
	r.add(i.Size, names)
	r.add(tables, encode(headers))
	r.add(h.Phoff, encode(i.Segments))
	for offset, data := range i.Data {
		r.add(offset, data)
	}
	return r
}

func encode(v any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func (r *Reader) add(offset uint64, data []byte) {
	r.parts = append(r.parts, part{int64(offset), data})
	r.size = max(r.size, int64(offset)+int64(len(data)))
}

// Size returns the size of the file in bytes.
func (r *Reader) Size() int64 { return r.size }

// Path returns the path that errors should name.
func (r *Reader) Path() string { return "/lib/hostile.so" }

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(b []byte, offset int64) (int, error) {
	r.Reads++
	if offset < 0 || offset >= r.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), r.size-offset))
	r.Bytes += int64(n)
	clear(b[:n])
	for _, p := range r.parts {
		from, to := max(offset, p.offset), min(offset+int64(n), p.offset+int64(len(p.data)))
		if from < to {
			copy(b[from-offset:], p.data[from-p.offset:to-p.offset])
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// RemoveSections returns a copy of an object without its section headers, as objcopy
// --strip-section-headers makes it.
func RemoveSections(object []byte) []byte {
	object = slices.Clone(object)
	binary.LittleEndian.PutUint64(object[0x28:], 0) // e_shoff
	clear(object[0x3a:0x40])                        // e_shentsize, e_shnum, e_shstrndx
	return object
}

// Code returns the header of an executable segment.
func Code(offset, address, size uint64) elf.Prog64 {
	return segment(elf.PF_R|elf.PF_X, offset, address, size)
}

// Data returns the header of a segment that cannot be executed.
func Data(offset, address, size uint64) elf.Prog64 { return segment(elf.PF_R, offset, address, size) }

func segment(flags elf.ProgFlag, offset, address, size uint64) elf.Prog64 {
	return elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(flags), Off: offset, Vaddr: address, Filesz: size, Memsz: size}
}
