package gopclntab

import (
	"encoding/binary"
	"errors"
)

// pcvalue returns the value for pc in a pc-value table of a function. It returns -1 if there is no
// value. The table has pairs of a difference of the value, as a zigzag number, and a difference of
// the address in quanta. The value begins at -1 (runtime/symtab.go, step).
func (t *Table) pcvalue(offset uint32, f *function, pc uint64) (int32, error) {
	value, _, err := t.pcvalueUntil(offset, f, pc)
	return value, err
}

// pcvalueUntil is pcvalue and returns also the address at which the value changes; 0 if there is no
// value.
func (t *Table) pcvalueUntil(offset uint32, f *function, pc uint64) (value int32, end uint64, err error) {
	if offset == 0 {
		return -1, 0, nil
	}
	r := pcReader{image: t.image, at: t.pcs + uint64(offset)}
	defer func() { t.walked += r.used }()
	value = -1
	address := f.entry
	for first := true; r.used < maxPCValue && t.walked+r.used < maxWalked; first = false {
		v, err := r.uvarint()
		if err != nil {
			return 0, 0, err
		}
		if v == 0 && !first {
			return -1, 0, nil // the end of the table
		}
		value += int32(-(v & 1) ^ (v >> 1))
		d, err := r.uvarint()
		if err != nil {
			return 0, 0, err
		}
		address += uint64(d) * t.quantum
		if pc < address {
			return value, address, nil
		}
	}
	return 0, 0, errors.New("pc-value tables are larger than the limit")
}

// pcReader reads the variable-length numbers of a pc-value table.
type pcReader struct {
	image *image
	at    uint64
	used  int // bytes
	buf   [64]byte
	rest  []byte
}

func (r *pcReader) uvarint() (uint32, error) {
	if len(r.rest) < binary.MaxVarintLen32 {
		n, err := r.image.readSome(r.buf[:], r.at)
		if err != nil {
			return 0, err
		}
		r.rest = r.buf[:n]
	}
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > 1<<32-1 {
		return 0, errors.New("malformed number in a pc-value table")
	}
	r.rest = r.rest[n:]
	r.at += uint64(n)
	r.used += n
	return uint32(v), nil
}
