package ehframe

import (
	"encoding/binary"
	"errors"
)

var errShort = errors.New("unwind information ends early")

// reader reads the encodings of .eh_frame. After the first error, which err keeps, it returns zeros.
type reader struct {
	data    []byte
	at      int
	address uint64 // of data[0], for addresses that are relative to where they are stored
	err     error
}

// bytes returns the next n bytes, or nil if there are fewer.
func (r *reader) bytes(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.data)-r.at) {
		r.err, r.at = errShort, len(r.data)
		return nil
	}
	b := r.data[r.at : r.at+int(n)]
	r.at += int(n)
	return b
}

// more reports whether there is something left to read.
func (r *reader) more() bool { return r.err == nil && r.at < len(r.data) }

// fixed reads a number of n bytes, at most 8.
func (r *reader) fixed(n uint64) uint64 {
	var b [8]byte
	copy(b[:], r.bytes(n))
	return binary.LittleEndian.Uint64(b[:])
}

func (r *reader) u8() byte {
	if r.err != nil || r.at >= len(r.data) {
		r.err = errShort
		return 0
	}
	r.at++
	return r.data[r.at-1]
}

// length reads the length of an entry, in bytes.
func (r *reader) length() uint64 {
	n := r.fixed(4)
	if n == 0xffffffff {
		n = r.fixed(8)
	}
	return n
}

// text reads a string that ends with a zero byte. Augmentations have only a few letters; it stops
// after 16.
func (r *reader) text() string {
	var s []byte
	for {
		b := r.u8()
		if b == 0 || len(s) > 16 {
			return string(s)
		}
		s = append(s, b)
	}
}

// uleb reads an unsigned LEB128 number. One of more than 64 bits is an error.
func (r *reader) uleb() uint64 {
	v := uint64(0)
	for shift := 0; ; shift += 7 {
		b := r.u8()
		if shift > 63 {
			r.err = errShort
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return v
		}
	}
}

// sleb reads a signed LEB128 number.
func (r *reader) sleb() int64 {
	v := int64(0)
	for shift := 0; ; {
		b := r.u8()
		if shift > 63 {
			r.err = errShort
			return 0
		}
		v |= int64(b&0x7f) << shift
		shift += 7
		if b&0x80 == 0 {
			if b&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
}

// Pointer encodings: Linux Standard Base, Core, 10.5.1 "DWARF Exception Header Encoding".
const (
	peAbsPtr   = 0x00
	peULEB     = 0x01
	peUData2   = 0x02
	peUData4   = 0x03
	peUData8   = 0x04
	peSLEB     = 0x09
	peSData2   = 0x0a
	peSData4   = 0x0b
	peSData8   = 0x0c
	pePCRel    = 0x10
	peDataRel  = 0x30
	peOmit     = 0xff
	peFormat   = 0x0f
	peRelative = 0x70
)

var errEncoding = errors.New("unwind information has an unknown pointer encoding")

// pointer reads an address that is absolute or relative to where it is stored. Compilers use no
// other form in .eh_frame.
func (r *reader) pointer(encoding byte) uint64 {
	base := uint64(0)
	switch encoding & peRelative {
	case 0:
	case pePCRel:
		base = r.address + uint64(r.at)
	default:
		r.err = errEncoding
	}
	var v uint64
	switch encoding & peFormat {
	case peAbsPtr, peUData8, peSData8:
		v = r.fixed(8)
	case peULEB:
		v = r.uleb()
	case peSLEB:
		v = uint64(r.sleb())
	case peUData2:
		v = r.fixed(2)
	case peSData2:
		v = uint64(int16(r.fixed(2)))
	case peUData4:
		v = r.fixed(4)
	case peSData4:
		v = uint64(int32(r.fixed(4)))
	default:
		r.err = errEncoding
	}
	return base + v
}
