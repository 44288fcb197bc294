package ehframe

import (
	"debug/elf"
	"errors"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// header is the beginning of .eh_frame_hdr, to which the segment PT_GNU_EH_FRAME refers (Linux Standard
// Base, Core, 10.6.2): a version, three encodings, and the address of .eh_frame. The number of functions
// and the search table may follow.
type header struct {
	file                         *object.File
	segment                      *elf.Prog
	section                      uint64 // address of .eh_frame
	countEncoding, tableEncoding byte
	rest                         *reader // what follows the address
}

var errHeaderForm = errors.New("the search table of .eh_frame_hdr has an unsupported form")

// readHeader reads the header of an object.
func readHeader(f *object.File) (*header, error) {
	i := slices.IndexFunc(f.Segments, func(p *elf.Prog) bool { return p.Type == elf.PT_GNU_EH_FRAME })
	if i < 0 {
		return nil, errors.New("the object has no segment PT_GNU_EH_FRAME")
	}
	p := f.Segments[i]
	var raw [20]byte
	n, _ := p.ReadAt(raw[:], 0)
	if n < 4 || raw[0] != 1 {
		return nil, errHeaderForm
	}
	r := &reader{data: raw[:n], at: 4, address: p.Vaddr}
	h := &header{file: f, segment: p, countEncoding: raw[2], tableEncoding: raw[3], rest: r}
	h.section = r.pointer(raw[1])
	if r.err != nil {
		return nil, errHeaderForm
	}
	return h, nil
}
