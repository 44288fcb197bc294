package ehframe

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"slices"
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
// only what it needs. Addresses that no function covers, and all of a 32-bit object, are left out.
func Starts(f *object.File, addresses []uint64) map[uint64]uint64 {
	starts := map[uint64]uint64{}
	if len(addresses) == 0 || f.Class == elf.ELFCLASS32 {
		return starts
	}
	t, err := readSearchTable(f)
	if err != nil {
		return scanStarts(f, addresses)
	}
	for _, a := range addresses {
		if start, end, ok := t.find(a); ok && a < end {
			starts[a] = start
		}
	}
	return starts
}

// scanStarts is Starts for an object without a search table, such as a static program. It reads the whole
// section.
func scanStarts(f *object.File, addresses []uint64) map[uint64]uint64 {
	starts := map[uint64]uint64{}
	registers := AMD64
	if f.Machine == elf.EM_AARCH64 {
		registers = ARM64
	}
	s, err := Open(f, registers)
	if err != nil {
		return starts
	}
	addresses = slices.Sorted(slices.Values(addresses))
	for described, err := range s.Functions() {
		if err != nil {
			return starts
		}
		first, _ := slices.BinarySearch(addresses, described.Start)
		for _, a := range addresses[first:] {
			if a >= described.End || f.Step(1) != nil {
				break
			}
			starts[a] = described.Start
		}
	}
	return starts
}

// readSearchTable reads the search table of an object.
func readSearchTable(f *object.File) (*searchTable, error) {
	h, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	return h.searchTable()
}

// searchTable has, sorted, the address of each function and that of its FDE.
type searchTable struct {
	file *object.File
	base uint64 // address of the header
	rows []byte // 8 bytes each
	cies map[uint64]*cie
}

// searchTable reads the table that follows the header.
func (h *header) searchTable() (*searchTable, error) {
	if h.countEncoding != countEncoding || h.tableEncoding != tableEncoding {
		return nil, errHeaderForm
	}
	count := h.rest.fixed(4)
	if h.rest.err != nil {
		return nil, errHeaderForm
	}
	size := 8 * count
	if count > maxRows || size > h.segment.Filesz {
		return nil, errors.New("the search table of .eh_frame_hdr claims to be larger than its segment")
	}
	t := &searchTable{file: h.file, base: h.segment.Vaddr, rows: make([]byte, size), cies: map[uint64]*cie{}}
	if _, err := h.segment.ReadAt(t.rows, int64(h.rest.at)); err != nil {
		return nil, err
	}
	return t, nil
}

// find returns the range of the last function that begins at or before an address.
func (t *searchTable) find(address uint64) (start, end uint64, ok bool) {
	i := sort.Search(len(t.rows)/8, func(i int) bool { return t.word(2*i) > address }) - 1
	if i < 0 {
		return 0, 0, false
	}
	start = t.word(2 * i)
	size, ok := t.functionSize(t.word(2*i + 1))
	return start, start + size, ok && start+size >= start
}

// word returns an address in the table: the start of function i/2 or, if i is odd, that of its FDE.
func (t *searchTable) word(i int) uint64 {
	return t.base + uint64(int32(binary.LittleEndian.Uint32(t.rows[4*i:])))
}

// lastEntry returns the greatest address of an FDE, or 0 if there is none.
func (t *searchTable) lastEntry() (last uint64) {
	for i := 1; i < len(t.rows)/4; i += 2 {
		last = max(last, t.word(i))
	}
	return last
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
