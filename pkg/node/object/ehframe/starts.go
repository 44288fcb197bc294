package ehframe

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"sort"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// maxRows is the limit on the rows of the search table; that of libLLVM has 848,000.
const maxRows = 2 << 20

// Linkers write the search table in one form only.
const (
	countEncoding = peUData4
	tableEncoding = peDataRel | peSData4 // counted from the header's address
)

// Starts returns where the functions of addresses begin, by address. It uses the search table of
// .eh_frame_hdr, which is also in stripped objects (Linux Standard Base, Core, 10.6.2), and reads
// only what it needs. Addresses that no function covers are left out.
func Starts(f *object.File, addresses []uint64) map[uint64]uint64 {
	starts := map[uint64]uint64{}
	for _, p := range f.Segments {
		if p.Type != elf.PT_GNU_EH_FRAME {
			continue
		}
		t, err := readSearchTable(f, p)
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

// searchTable has, sorted, the address of each function and that of its FDE.
type searchTable struct {
	file *object.File
	base uint64 // address of the header
	rows []byte // 8 bytes each
	cies map[uint64]*cie
}

func readSearchTable(f *object.File, p *elf.Prog) (*searchTable, error) {
	var header [20]byte // version, encodings of the section's address, of the count and of the table; then these
	n, _ := p.ReadAt(header[:], 0)
	errForm := errors.New("the search table of .eh_frame_hdr has an unsupported form")
	if n < 4 || header[0] != 1 || header[2] != countEncoding || header[3] != tableEncoding {
		return nil, errForm
	}
	r := &reader{data: header[:n], at: 4}
	r.pointer(header[1] & peFormat) // the address of .eh_frame
	count := r.fixed(4)
	if r.err != nil {
		return nil, errForm
	}
	size := 8 * count
	if count > maxRows || size > p.Filesz {
		return nil, errors.New("the search table of .eh_frame_hdr claims to be larger than its segment")
	}
	t := &searchTable{file: f, base: p.Vaddr, rows: make([]byte, size), cies: map[uint64]*cie{}}
	if _, err := p.ReadAt(t.rows, int64(r.at)); err != nil {
		return nil, err
	}
	return t, nil
}

// find returns the range of the last function that begins at or before an address.
func (t *searchTable) find(address uint64) (start, end uint64, ok bool) {
	word := func(i int) uint64 { return t.base + uint64(int32(binary.LittleEndian.Uint32(t.rows[4*i:]))) }
	i := sort.Search(len(t.rows)/8, func(i int) bool { return word(2*i) > address }) - 1
	if i < 0 {
		return 0, 0, false
	}
	start = word(2 * i)
	size, ok := t.functionSize(word(2*i + 1))
	return start, start + size, ok && start+size >= start
}

// functionSize reads the size of a function, in bytes, from the FDE at an address.
func (t *searchTable) functionSize(fde uint64) (uint64, bool) {
	var raw [32]byte
	n, _ := t.file.ReadAddress(raw[:], fde)
	r := &reader{data: raw[:n]}
	r.length()
	reference := fde + uint64(r.at)
	c := t.cie(reference - r.fixed(4))
	if c == nil {
		return 0, false
	}
	r.pointer(c.encoding & peFormat) // the function's address, which the table has too
	size := r.pointer(c.encoding & peFormat)
	return size, r.err == nil
}

// cie reads the start of the CIE at an address; nil if it is not supported.
func (t *searchTable) cie(address uint64) *cie {
	if c, ok := t.cies[address]; ok {
		return c
	}
	var raw [64]byte
	n, _ := t.file.ReadAddress(raw[:], address)
	r := &reader{data: raw[:n]}
	length := r.length()
	c := parseCIE(r.bytes(min(length, uint64(len(r.data)-r.at))))
	t.cies[address] = c
	return c
}
