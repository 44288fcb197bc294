package limits

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
)

// ErrTooLarge is wrapped by the errors for data that is too large, compressed or not.
var ErrTooLarge = errors.New("too large for a profile")

// Deflate compresses profiles at most 80:1, for folded stacks of 200 frames with long names, and zeros 1,030:1 (zlib.net,
// "Technical Details"). Small files may be compressed better.
const (
	maxRatio    = 100
	freeOfRatio = 64 << 20 // bytes of output
)

// Gunzip decompresses gzipped data (RFC 1952) to at most limit bytes.
func Gunzip(data []byte, limit int) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return decompress(z, len(data), limit)
}

// Inflate decompresses a raw deflate stream (RFC 1951) to at most limit bytes.
func Inflate(data []byte, limit int) ([]byte, error) {
	return decompress(flate.NewReader(bytes.NewReader(data)), len(data), limit)
}

// decompress reads at most limit bytes, and fewer if the data was small for its result.
func decompress(r io.Reader, compressed, limit int) ([]byte, error) {
	return ReadAll(r, min(limit, freeOfRatio+maxRatio*compressed))
}

// ReadAll reads at most limit bytes. More is an error that wraps ErrTooLarge.
func ReadAll(r io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, fmt.Errorf("more than %d MiB: %w", limit>>20, ErrTooLarge)
	}
	return data, nil
}
