package object

import (
	"bytes"
	"encoding/binary"
	"io"
)

// upxMagic begins the headers of UPX (UPX_MAGIC_LE32 in src/conf.h): one follows the program headers
// (l_info), one is at the end of the file (PackHeader).
var upxMagic = []byte("UPX!")

// Where the marks of UPX are, in bytes from the beginning and from the end of the file.
const (
	upxAtStart = 1024
	upxAtEnd   = 64
)

// Packer returns the name of the program that has compressed an executable of the given size, "UPX", or
// "" if none is recognized. At run time a packed program unpacks its code into anonymous memory; the
// file then says nothing about the code. The file need not be for a 64-bit machine.
func Packer(r io.ReaderAt, size int64) string {
	head := make([]byte, min(size, upxAtStart))
	if n, err := r.ReadAt(head, 0); err != nil && err != io.EOF || n < len(head) {
		return ""
	}
	if len(head) < 64 || !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return ""
	}
	sections := head[60:] // e_shnum of a 64-bit header
	if head[4] == 1 {
		sections = head[48:] // 32-bit
	}
	if binary.LittleEndian.Uint16(sections) != 0 {
		return "" // UPX removes section headers, so this is a program that contains the text
	}
	tail := make([]byte, min(size, upxAtEnd))
	if n, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF || n < len(tail) {
		return ""
	}
	if bytes.Contains(head, upxMagic) || bytes.Contains(tail, upxMagic) {
		return "UPX"
	}
	return ""
}
