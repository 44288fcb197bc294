package object

import (
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
)

// gnuCompressed begins the names of sections that GNU's tools compressed before ELF had a flag for
// that (binutils' objcopy, --compress-debug-sections=zlib-gnu).
const gnuCompressed = ".zdebug_"

// openGNUCompressed returns the size of such a section and a reader of its content: "ZLIB", the size
// with the highest byte first, and a zlib stream.
func openGNUCompressed(s *elf.Section) (uint64, io.Reader, error) {
	var header [12]byte
	if n, _ := s.ReadAt(header[:], 0); n < len(header) || string(header[:4]) != "ZLIB" {
		return 0, nil, errors.New("its name says that it is compressed, and it does not begin with ZLIB")
	}
	r, err := zlib.NewReader(io.NewSectionReader(s, int64(len(header)), int64(s.FileSize)-int64(len(header))))
	return binary.BigEndian.Uint64(header[4:]), r, err
}
