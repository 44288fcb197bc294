package gopclntab

import (
	"fmt"
	"io"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// image reads an object by address, with a small cache of pages.
type image struct {
	file   *object.File
	code   object.CodeSegments
	pages  map[uint64][]byte // by their number in the file
	free   [][]byte          // memory of pages that are no longer in the cache
	unread uint64            // bytes that may still be searched
}

const (
	pageSize = 4096
	maxPages = 512 // 2 MiB
)

func newImage(f *object.File) *image {
	return &image{file: f, code: f.CodeSegments(), pages: map[uint64][]byte{}, unread: maxScan}
}

// read fills b from an address. A read beyond the end of the segment is an error.
func (im *image) read(b []byte, address uint64) error {
	n, err := im.readSome(b, address)
	if err == nil && n < len(b) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// readSome reads up to len(b) bytes, but not beyond the end of the segment. It returns their number.
func (im *image) readSome(b []byte, address uint64) (int, error) {
	offset, size, ok := im.file.Offset(address)
	if !ok {
		return 0, fmt.Errorf("address %#x is not in the file", address)
	}
	return im.readFile(b[:min(uint64(len(b)), size)], offset)
}

// readFile is readSome for an offset in the file.
func (im *image) readFile(b []byte, offset uint64) (int, error) {
	done := 0
	for done < len(b) {
		page, err := im.page((offset + uint64(done)) / pageSize)
		if err != nil {
			return done, err
		}
		n := 0
		if start := (offset + uint64(done)) % pageSize; start < uint64(len(page)) {
			n = copy(b[done:], page[start:])
		}
		if n == 0 {
			break // the end of the file
		}
		done += n
	}
	return done, nil
}

// page returns a page of the file; the last one is shorter.
func (im *image) page(number uint64) ([]byte, error) {
	if p, ok := im.pages[number]; ok {
		return p, nil
	}
	if len(im.pages) >= maxPages {
		for _, p := range im.pages {
			im.free = append(im.free, p)
		}
		clear(im.pages) // the tables in use are soon read again
	}
	var p []byte
	if last := len(im.free) - 1; last >= 0 {
		p, im.free = im.free[last][:pageSize], im.free[:last]
	} else {
		p = make([]byte, pageSize)
	}
	n, err := im.file.ReadAt(p, int64(number*pageSize))
	if err != nil && err != io.EOF {
		return nil, err
	}
	im.pages[number] = p[:n]
	return p[:n], nil
}

// text reads a string that ends with a zero byte, of at most maxName bytes.
func (im *image) text(address uint64) (string, error) {
	var out []byte
	for len(out) < maxName {
		var chunk [64]byte
		n, err := im.readSome(chunk[:], address+uint64(len(out)))
		if err != nil {
			return "", err
		}
		for i, c := range chunk[:n] {
			if c == 0 {
				return string(append(out, chunk[:i]...)), nil
			}
		}
		if n == 0 {
			break
		}
		out = append(out, chunk[:n]...)
	}
	return "", fmt.Errorf("string at %#x has no end within %d bytes", address, maxName)
}

// Address returns the address, in the object's own numbering, of the code at an offset in the file.
func (t *Table) Address(offset uint64) (uint64, bool) { return t.image.code.Address(offset) }
