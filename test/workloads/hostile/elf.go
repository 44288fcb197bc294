//go:build linux

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"runtime"
)

// codeOffset is where library.write places the code: the second page of the file.
const codeOffset = pageSize

// library describes an ELF file. Its headers, except for the first, follow the contents.
type library struct {
	size     int64 // of the contents; what data does not fill is a hole, which takes no room on the disk
	nops     int   // of its code, see spin
	data     map[int64][]byte
	segments []elf.Prog64
	sections []section
}

type section struct {
	name   string
	header elf.Section64 // without the name
}

// codeSegment is the segment of the code; its addresses equal offsets in the file.
func codeSegment(size uint64) elf.Prog64 {
	return elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Filesz: size, Memsz: size}
}

// mapped writes the file and maps its code.
func (l library) mapped(path string) (uintptr, error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := l.write(f); err != nil {
		return 0, err
	}
	return mapCode(f, codeOffset)
}

func (l library) write(f *os.File) error {
	names := []byte{0}
	headers := []elf.Section64{{}}
	for _, s := range append(l.sections, section{".shstrtab", elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: uint64(l.size)}}) {
		s.header.Name = uint32(len(names))
		names = append(append(names, s.name...), 0)
		headers = append(headers, s.header)
	}
	headers[len(headers)-1].Size = uint64(len(names))
	segmentsAt := (l.size + int64(len(names)) + 7) &^ 7
	sectionsAt := segmentsAt + int64(len(l.segments)*56)
	header := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64,
		Phoff: uint64(segmentsAt), Phentsize: 56, Phnum: uint16(len(l.segments)),
		Shoff: uint64(sectionsAt), Shentsize: 64, Shnum: uint16(len(headers)), Shstrndx: uint16(len(headers) - 1),
	}
	if runtime.GOARCH == "arm64" {
		header.Machine = uint16(elf.EM_AARCH64)
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	parts := map[int64][]byte{
		0: encode(header), codeOffset: spin(l.nops), l.size: names, segmentsAt: encode(l.segments), sectionsAt: encode(headers),
	}
	for _, m := range []map[int64][]byte{parts, l.data} {
		for at, data := range m {
			if _, err := f.WriteAt(data, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func encode(v any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
		panic(err) // only for a type without a fixed size
	}
	return b.Bytes()
}
