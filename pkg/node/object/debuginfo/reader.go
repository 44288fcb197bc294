package debuginfo

import "encoding/binary"

// reader reads sections of debugging information. What is missing reads as 0 and sets short.
type reader struct {
	data    []byte
	short   bool
	refused bool // because of a limit; short is set, too
}

// refuse ends reading because a limit is exceeded.
func (r *reader) refuse() { r.short, r.refused = true, true }

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.short, r.data = true, nil
		return make([]byte, 8)
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) uint8() byte    { return r.bytes(1)[0] }
func (r *reader) uint16() uint16 { return binary.LittleEndian.Uint16(r.bytes(2)) }

// word reads an offset or a length. It has 8 bytes in the 64-bit format, else 4.
func (r *reader) word(long bool) uint64 {
	if long {
		return binary.LittleEndian.Uint64(r.bytes(8))
	}
	return uint64(binary.LittleEndian.Uint32(r.bytes(4)))
}

// length reads the length that every unit begins with (DWARF 5, 7.4). long is set for the 64-bit
// format.
func (r *reader) length() (n uint64, long bool) {
	if n = r.word(false); n == 0xffffffff {
		return r.word(true), true
	}
	return n, false
}

// uvarint reads an unsigned LEB128 number, or skips a signed one.
func (r *reader) uvarint() (value uint64) {
	for shift := 0; !r.short; shift += 7 {
		c := r.uint8()
		if shift < 64 {
			value |= uint64(c&0x7f) << shift
		}
		if c < 0x80 {
			break
		}
	}
	return value
}

// text skips a string that ends with a zero byte and returns its length, in bytes.
func (r *reader) text() (length uint64) {
	for !r.short && r.uint8() != 0 {
		length++
	}
	return length
}
