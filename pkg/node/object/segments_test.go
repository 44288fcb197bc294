package object

import (
	"bytes"
	"debug/elf"
	"testing"
)

// testFile has a code segment at the offset 0x1000 of the file and a data segment with a zeroed
// rest after it.
func testFile() *File {
	content := make([]byte, 0x3000)
	for i := range content {
		content[i] = byte(i >> 8)
	}
	segment := func(flags elf.ProgFlag, offset, address, size, memory uint64) *elf.Prog {
		return &elf.Prog{
			ProgHeader: elf.ProgHeader{Type: elf.PT_LOAD, Flags: flags, Off: offset, Vaddr: address, Filesz: size, Memsz: memory},
			ReaderAt:   bytes.NewReader(content[offset : offset+size]),
		}
	}
	return &File{
		Segments: []*elf.Prog{
			segment(elf.PF_R|elf.PF_X, 0x1000, 0x401000, 0x1800, 0x1800), segment(elf.PF_R|elf.PF_W, 0x2800, 0x403800, 0x800, 0x1000),
		},
		reader: bytes.NewReader(content),
	}
}

func TestAddresses(t *testing.T) {
	f := testFile()
	for _, c := range []struct {
		address uint64
		size    int
		n       int // bytes that are read
	}{{0x401000, 16, 16}, {0x4027f8, 16, 8}, {0x403800, 0x800, 0x800}, {0x404000, 1, 0}, {0x400fff, 1, 0}, {1<<64 - 1, 1, 0}} {
		b := make([]byte, c.size)
		n, err := f.ReadAddress(b, c.address)
		if n != c.n || (err == nil) != (n == c.size) {
			t.Errorf("%#x: read %d of %d bytes, want %d (%v)", c.address, n, c.size, c.n, err)
		}
		offset, rest, ok := f.Offset(c.address)
		if ok != (c.n > 0) || ok && rest < uint64(c.n) {
			t.Errorf("%#x: offset %#x, %d bytes, %v", c.address, offset, rest, ok)
		}
		if ok {
			var want [1]byte
			if _, err := f.ReadAt(want[:], int64(offset)); err != nil || want[0] != b[0] {
				t.Errorf("%#x: byte %d by address, %d by offset (%v)", c.address, b[0], want[0], err)
			}
		}
	}
	for address, want := range map[uint64]bool{0x401000: false, 0x403800: true, 0x4047ff: true, 0x404800: false} {
		if got := f.Writable(address); got != want {
			t.Errorf("%#x is writable: %v, want %v", address, got, want)
		}
	}
}

func TestCodeSegments(t *testing.T) {
	code := testFile().CodeSegments()
	if a, ok := code.Address(0x1010); !ok || a != 0x401010 {
		t.Errorf("got %#x, %v", a, ok)
	}
	if a, ok := code.Address(0x2800); ok {
		t.Errorf("data has the address %#x of code", a)
	}
	const load = 0x7f0000000000
	for _, c := range []struct {
		name          string
		start, offset uint64
		ok            bool
	}{
		{"whole segment", load + 0x401000, 0x1000, true},
		{"second page", load + 0x402000, 0x2000, true},
		{"page that begins below the segment", load + 0x400000, 0, true},
		{"data", load + 0x403000, 0x2800, false},
	} {
		if bias, ok := code.Bias(c.start, c.offset); ok != c.ok || ok && bias != load {
			t.Errorf("%s: got %#x, %v, want %#x, %v", c.name, bias, ok, uint64(load), c.ok)
		}
	}
}
