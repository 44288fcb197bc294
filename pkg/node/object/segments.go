package object

import (
	"debug/elf"
	"fmt"
	"io"
	"slices"
)

// ReadAddress reads what the file contains for an address, as io.ReaderAt does for an offset: it
// returns the number of bytes and, if these are fewer than len(b), an error. A read ends with the
// segment.
func (f *File) ReadAddress(b []byte, address uint64) (int, error) {
	for _, s := range f.Segments {
		if s.Type == elf.PT_LOAD && address >= s.Vaddr && address-s.Vaddr < s.Filesz {
			within := address - s.Vaddr
			rest := b[:min(uint64(len(b)), s.Filesz-within)]
			n, err := s.ReadAt(rest, int64(within))
			if n == len(b) {
				return n, nil
			}
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
	}
	return 0, fmt.Errorf("address %#x is not in the file", address)
}

// Offset returns the offset in the file of what is loaded at an address, and how many bytes the
// file has from there to the end of the segment.
func (f *File) Offset(address uint64) (offset, size uint64, ok bool) {
	for _, s := range f.Segments {
		if s.Type == elf.PT_LOAD && address >= s.Vaddr && address-s.Vaddr < s.Filesz {
			within := address - s.Vaddr
			return s.Off + within, s.Filesz - within, true
		}
	}
	return 0, 0, false
}

// Writable reports whether an address is in memory that the program may write.
func (f *File) Writable(address uint64) bool {
	for _, s := range f.Segments {
		if s.Type == elf.PT_LOAD && s.Flags&elf.PF_W != 0 && address >= s.Vaddr && address-s.Vaddr < s.Memsz {
			return true
		}
	}
	return false
}

// CodeSegments are the headers of an object's executable PT_LOAD segments.
type CodeSegments []elf.ProgHeader

// CodeSegments returns the headers of the executable segments. They remain valid without the file.
func (f *File) CodeSegments() CodeSegments {
	var code CodeSegments
	for _, s := range f.Segments {
		if s.Type == elf.PT_LOAD && s.Flags&elf.PF_X != 0 {
			code = append(code, s.ProgHeader)
		}
	}
	return code
}

// Address returns the address, in the object's own numbering, of the code at an offset in the file.
func (c CodeSegments) Address(offset uint64) (uint64, bool) {
	for _, s := range c {
		if offset >= s.Off && offset-s.Off < s.Memsz {
			return offset - s.Off + s.Vaddr, true
		}
	}
	return 0, false
}

// Contain reports whether a segment contains the addresses from start up to, but not including, end.
func (c CodeSegments) Contain(start, end uint64) bool {
	return slices.ContainsFunc(c, func(s elf.ProgHeader) bool {
		return start >= s.Vaddr && end <= s.Vaddr+s.Memsz && start <= end
	})
}

// MaxPage is the largest page size of the supported machines, in bytes: mappings begin up to that much
// before their segments. arm64 can have 64 KiB.
const MaxPage = 64 << 10

// Bias returns what must be added to the object's own addresses to get those of a process in which
// a part of the code that begins at an offset in the file is mapped at start.
func (c CodeSegments) Bias(start, offset uint64) (uint64, bool) {
	for _, s := range c {
		if bias, ok := Bias(s, start, offset); ok {
			return bias, true
		}
	}
	return 0, false
}

// Bias is CodeSegments.Bias for one segment, and returns false if the offset is not in it. A mapping
// begins at a page boundary, which may be below the start of its segment, and need not contain the
// whole segment.
func Bias(s elf.ProgHeader, start, offset uint64) (uint64, bool) {
	return start - (offset - s.Off + s.Vaddr), offset+MaxPage > s.Off && offset < s.Off+s.Filesz
}
