package object

import (
	"bytes"
	"encoding/binary"
	"path"
)

// maxDebugLink limits the section with the debug link, in bytes: a base name and a checksum.
const maxDebugLink = 4 << 10

// DebugLink returns the base name and the CRC-32 of the file that the object's symbols were moved
// to. The section .gnu_debuglink has the name, zeros up to four bytes, and the checksum (gdb's
// manual, "Separate Debug Files").
func (f *File) DebugLink() (name string, checksum uint32, ok bool) {
	s := f.Section(".gnu_debuglink")
	if s == nil {
		return "", 0, false
	}
	raw, err := f.ReadSection(s, maxDebugLink)
	if err != nil {
		return "", 0, false
	}
	end := bytes.IndexByte(raw, 0)
	if end <= 0 {
		return "", 0, false
	}
	at := (end + 4) &^ 3
	if at+4 > len(raw) {
		return "", 0, false
	}
	name = path.Base(string(raw[:end]))
	return name, binary.LittleEndian.Uint32(raw[at:]), name != "." && name != ".." && name != "/"
}
