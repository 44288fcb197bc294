package ehframe

import (
	"fmt"
	"io"
)

// Sizes of what is read at once, in bytes. A section of up to wholeSection is read as a whole. Most
// entries of a larger one are read in its order, some in another order: linkers sort functions, and
// their entries only in part.
const (
	wholeSection   = 8 << 20
	smallestWindow = 2 << 10
	largestWindow  = 64 << 10
)

// window is the part of a section that is in memory. A section may have 64 MiB.
type window struct {
	source io.ReaderAt
	size   uint64 // of the section, in bytes
	whole  bool   // read all of the section at once
	start  uint64 // offset of data in the section
	data   []byte
	err    error // of the first read that failed
}

// bytes returns n bytes at an offset, which are valid until the next call. It returns nil if the
// section has fewer, or if reading fails.
func (w *window) bytes(offset, n uint64) []byte {
	if offset > w.size || n > w.size-offset || w.err != nil {
		return nil
	}
	end := w.start + uint64(len(w.data))
	if offset < w.start || offset+n > end {
		size := uint64(smallestWindow)
		if w.start <= offset && offset <= end { // it follows what was read before
			size = min(2*uint64(len(w.data)), largestWindow)
		}
		at := offset
		if w.whole {
			at, size = 0, w.size
		}
		size = min(max(size, smallestWindow, n), w.size-at)
		if uint64(cap(w.data)) < size {
			w.data = make([]byte, size)
		}
		w.start, w.data = at, w.data[:size]
		if read, err := w.source.ReadAt(w.data, int64(at)); uint64(read) < size {
			w.err, w.data = fmt.Errorf("read .eh_frame: %w", err), nil
			return nil
		}
	}
	return w.data[offset-w.start:][:n:n]
}
