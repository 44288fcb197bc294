//go:build linux

package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"sort"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// maxFDEs bounds the rows of the table in .eh_frame_hdr; libLLVM has 848,000.
const maxFDEs = 2 << 20

// Encodings of pointers in unwind information (Linux Standard Base Core 5.0, "DWARF Exception Header
// Encoding"). Linkers write the table of .eh_frame_hdr in the one form only.
const (
	pointerFormat    = 0x0f // bits that say how a pointer is stored
	pointerData4     = 0x03 // unsigned, 4 bytes
	pointerTableForm = 0x3b // signed, 4 bytes, counted from the header's address
)

// functionStarts finds where the functions of addresses begin, in the unwind information: it is there
// also in stripped objects. Addresses that it does not cover are left out.
func functionStarts(f *object.File, addresses []uint64) map[uint64]uint64 {
	starts := map[uint64]uint64{}
	for _, p := range f.Segments {
		if p.Type != elf.PT_GNU_EH_FRAME {
			continue
		}
		t, err := readFDETable(f, p)
		if err != nil {
			return starts
		}
		for _, a := range addresses {
			if start, end, ok := t.find(a); ok && a < end {
				starts[a] = start
			}
		}
	}
	return starts
}

// fdeTable is the table of .eh_frame_hdr: for each function description entry (FDE), sorted, the address
// of the function and that of the entry.
type fdeTable struct {
	file      *object.File
	base      uint64 // address of the header
	rows      []byte // 8 bytes each
	encodings map[uint64]byte
}

func readFDETable(f *object.File, p *elf.Prog) (*fdeTable, error) {
	var header [20]byte
	n, _ := p.ReadAt(header[:], 0)
	errForm := errors.New("the table of unwind information has an unknown form")
	if n < 4 || header[0] != 1 || header[2] != pointerData4 || header[3] != pointerTableForm {
		return nil, errForm
	}
	at := 4 + pointerSize(header[1])
	if at == 4 || n < at+4 {
		return nil, errForm
	}
	size := 8 * uint64(binary.LittleEndian.Uint32(header[at:]))
	if size > 8*maxFDEs || size > p.Filesz {
		return nil, errors.New("the table of unwind information is longer than it can be")
	}
	t := &fdeTable{file: f, base: p.Vaddr, rows: make([]byte, size), encodings: map[uint64]byte{}}
	if _, err := p.ReadAt(t.rows, int64(at+4)); err != nil {
		return nil, err
	}
	return t, nil
}

// find gives the range of the last function that begins at or before an address.
func (t *fdeTable) find(address uint64) (start, end uint64, ok bool) {
	word := func(i int) uint64 { return t.base + uint64(int32(binary.LittleEndian.Uint32(t.rows[4*i:]))) }
	i := sort.Search(len(t.rows)/8, func(i int) bool { return word(2*i) > address }) - 1
	if i < 0 {
		return 0, 0, false
	}
	start = word(2 * i)
	size, ok := t.functionSize(word(2*i + 1))
	return start, start + size, ok && start+size >= start
}

// functionSize reads an FDE: length, distance back to its common information entry (CIE), 4 bytes each, then the
// function's address and its size, both as the CIE says.
func (t *fdeTable) functionSize(fde uint64) (uint64, bool) {
	var raw [24]byte
	n, _ := t.file.ReadAddress(raw[:], fde)
	if n < 16 {
		return 0, false
	}
	cie := fde + 4 - uint64(binary.LittleEndian.Uint32(raw[4:]))
	encoding, ok := t.encodings[cie]
	if !ok {
		encoding = t.pointerEncoding(cie)
		t.encodings[cie] = encoding
	}
	size := pointerSize(encoding)
	if size == 0 || 8+2*size > n {
		return 0, false
	}
	switch at := raw[8+size:]; size {
	case 2:
		return uint64(binary.LittleEndian.Uint16(at)), true
	case 4:
		return uint64(binary.LittleEndian.Uint32(at)), true
	default:
		return binary.LittleEndian.Uint64(at), true
	}
}

// pointerOmitted is no encoding at all.
const pointerOmitted = 0xff

// pointerEncoding reads of a CIE how its FDEs hold addresses.
func (t *fdeTable) pointerEncoding(cie uint64) byte {
	var raw [64]byte
	n, _ := t.file.ReadAddress(raw[:], cie)
	if n < 9 {
		return pointerOmitted
	}
	version := raw[8]
	augmentation, rest, ok := bytes.Cut(raw[9:n], []byte{0})
	if !ok {
		return pointerOmitted
	}
	r := bytes.NewReader(rest)
	if version >= 4 {
		r.Seek(2, io.SeekCurrent) // sizes of an address and of a segment selector
	}
	binary.ReadUvarint(r) // code alignment
	binary.ReadUvarint(r) // data alignment
	binary.ReadUvarint(r) // return address register; in version 1 one byte, which is below 128
	for i, c := range augmentation {
		switch {
		case i == 0 && c == 'z':
			binary.ReadUvarint(r) // length of what follows
		case i == 0:
			return pointerOmitted
		case c == 'L': // encoding of the language's data
			r.ReadByte()
		case c == 'P': // encoding and address of the personality routine
			personality, _ := r.ReadByte()
			r.Seek(int64(pointerSize(personality)), io.SeekCurrent)
		case c == 'R':
			if encoding, err := r.ReadByte(); err == nil {
				return encoding
			}
			return pointerOmitted
		case c != 'S' && c != 'B' && c != 'G': // marks without data
			return pointerOmitted
		}
	}
	return 0 // plain addresses
}

// pointerSize is the number of bytes of an encoded pointer; 0 if it has no fixed one.
func pointerSize(encoding byte) int {
	if encoding == pointerOmitted {
		return 0
	}
	switch encoding & pointerFormat {
	case 0x00, 0x04, 0x0c:
		return 8
	case 0x02, 0x0a:
		return 2
	case 0x03, 0x0b:
		return 4
	}
	return 0
}
