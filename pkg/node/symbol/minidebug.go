//go:build linux

package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz/lzma"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Bounds on a compressed symbol table: those of Fedora's largest libraries unpack to some 10 MiB.
const (
	maxMiniDebug   = 32 << 20
	maxDictionary  = 16 << 20
	xzStreamHeader = 12
)

// miniDebugInfo gives the small ELF object with the symbols of local functions that Fedora and its kin
// leave in stripped objects (gdb's manual, "MiniDebugInfo"); nil if there is none.
func miniDebugInfo(f *elf.File) *elf.File {
	s := f.Section(".gnu_debugdata")
	if s == nil || s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil
	}
	unpacked, err := unpackXZ(io.NewSectionReader(s, 0, int64(min(s.FileSize, maxMiniDebug))))
	if err != nil {
		return nil
	}
	mini, err := proc.OpenELF(bytes.NewReader(unpacked))
	if err != nil {
		return nil
	}
	return mini
}

// unpackXZ unpacks the first block of an xz stream, which is all of it in objects of less than 24 MiB.
// The headers are read here and not by package xz, which would allocate the dictionary that the file
// claims, up to 4 GiB (tukaani.org, "The .xz File Format", sections 2.1.1 and 3.1).
func unpackXZ(r io.Reader) ([]byte, error) {
	var start [xzStreamHeader + 1]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(start[:], []byte("\xfd7zXZ\x00")) {
		return nil, errors.New("not an xz stream")
	}
	header := make([]byte, (int(start[xzStreamHeader])+1)*4-1) // the size's own byte was read
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
	unpacked, err := io.ReadAll(io.LimitReader(unpacker, maxMiniDebug+1))
	if err == nil && len(unpacked) > maxMiniDebug {
		err = fmt.Errorf("unpacks to more than %d bytes", maxMiniDebug)
	}
	return unpacked, err
}

// xzDictionary reads a block header: flags, sizes if the flags say so, and the filters, of which LZMA2
// must be the only one.
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
