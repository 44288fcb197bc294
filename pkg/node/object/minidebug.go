package object

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// Limits on a compressed symbol table, in bytes. Those of Fedora's largest libraries unpack to
// about 10 MiB.
const (
	maxMiniDebug   = 16 << 20
	maxDictionary  = 16 << 20 // xz uses 8 MiB unless told otherwise
	xzStreamHeader = 12
)

// MiniDebugInfo opens the small object with the symbols of local functions that Fedora and its
// derivatives leave in stripped objects (gdb's manual, "MiniDebugInfo"). It returns nil if there is
// none. What the object costs counts for f.
func (f *File) MiniDebugInfo() *File {
	s := f.Section(".gnu_debugdata")
	if s == nil || s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil
	}
	unpacked, err := unpackXZ(io.NewSectionReader(s, 0, int64(min(s.FileSize, maxMiniDebug))))
	if err != nil || f.budget.addBytes(int64(len(unpacked))) != nil {
		return nil
	}
	mini, err := f.openMemory(unpacked)
	if err != nil {
		return nil
	}
	return mini
}

// unpackXZ unpacks the first block of an xz stream; streams of less than 24 MiB have only one. It
// parses the headers itself because package xz would allocate a dictionary of whatever size the
// file claims, up to 4 GiB (tukaani.org, "The .xz File Format", sections 2.1.1 and 3.1).
func unpackXZ(r io.Reader) ([]byte, error) {
	var start [xzStreamHeader + 1]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(start[:], []byte("\xfd7zXZ\x00")) {
		return nil, errors.New("not an xz stream")
	}
	header := make([]byte, (int(start[xzStreamHeader])+1)*4-1) // without the byte of the size, which was read
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	dictionary, err := xzDictionary(header)
	if err != nil {
		return nil, err
	}
	unpacker, err := lzma.Reader2Config{DictCap: int(dictionary)}.NewReader2(r)
	if err != nil {
		return nil, err
	}
	// io.ReadAll would allocate up to five times the size, because it grows its result step by step.
	var chunks [][]byte
	for total := 0; total <= maxMiniDebug; {
		chunk := make([]byte, 1<<20)
		n, err := io.ReadFull(unpacker, chunk)
		chunks, total = append(chunks, chunk[:n]), total+n
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return bytes.Join(chunks, nil), nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("unpacks to more than %d bytes", maxMiniDebug)
}

// xzDictionary returns the size of the dictionary, in bytes, that a block header asks for. The
// header has flags, sizes if the flags say so, and filters, of which only LZMA2 is supported.
func xzDictionary(header []byte) (int64, error) {
	flags, rest := header[0], header[1:]
	for _, bit := range []byte{0x40, 0x80} { // compressed and uncompressed size
		if flags&bit != 0 {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return 0, errors.New("xz block: malformed size")
			}
			rest = rest[n:]
		}
	}
	const lzma2, properties = 0x21, 1
	if flags&0x3f != 0 || len(rest) < 3 || rest[0] != lzma2 || rest[1] != properties {
		return 0, errors.New("xz block: a filter other than LZMA2")
	}
	size, err := lzma.DecodeDictCap(rest[2])
	if err != nil {
		return 0, err
	}
	if size > maxDictionary {
		return 0, fmt.Errorf("xz block: dictionary of %d bytes", size)
	}
	return max(size, lzma.MinDictCap), nil
}
