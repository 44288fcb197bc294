package read

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/pprof/profile"
)

// fromPprof reads profile.proto, and the older text formats that the pprof library supports.
func fromPprof(data []byte) (*profile.Profile, error) {
	if _, text := firstLine(data); text {
		p, err := profile.ParseData(data)
		if err != nil {
			return nil, errors.New("this is neither a pprof file, nor the output of perf script, nor folded stacks")
		}
		return p, nil
	}
	if err := checkMessages(data); err != nil {
		return nil, err
	}
	p, err := profile.ParseUncompressed(data)
	if err != nil {
		return nil, fmt.Errorf("this is not a pprof file, or a damaged one: %w", err)
	}
	dropNegativeLines(p)
	return p, nil
}

// dropNegativeLines sets line numbers below 0 to 0, "unknown". Some runtimes mark code without lines in that way (in Java -2 is
// native code), and pictures cannot hold them.
func dropNegativeLines(p *profile.Profile) {
	for _, f := range p.Function {
		f.StartLine = max(f.StartLine, 0)
	}
	for _, l := range p.Location {
		for i := range l.Line {
			l.Line[i].Line = max(l.Line[i].Line, 0)
		}
	}
}

// maxMessages is the largest number of samples, locations and functions together. An empty one takes 2 bytes in the file and
// about 100 in memory.
const maxMessages = 5_000_000

// checkMessages walks the top-level fields of a protocol buffer (protobuf.dev/programming-guides/encoding). It bounds what the
// decoder allocates, and recognises files that are cut off, for which the decoder has no error of its own.
func checkMessages(data []byte) error {
	for n := 0; len(data) > 0; n++ {
		if n >= maxMessages {
			return fmt.Errorf("more than %d samples, locations and functions", maxMessages)
		}
		tag, size := binary.Uvarint(data)
		if size <= 0 {
			return errCutOff
		}
		data = data[size:]
		var skip uint64
		switch tag & 7 {
		case 0: // varint
			_, size := binary.Uvarint(data)
			if size <= 0 {
				return errCutOff
			}
			skip = uint64(size)
		case 1:
			skip = 8
		case 2: // length, then as many bytes
			length, size := binary.Uvarint(data)
			if size <= 0 {
				return errCutOff
			}
			data, skip = data[size:], length
		case 5:
			skip = 4
		default:
			return errors.New("this is not a pprof file, or a damaged one")
		}
		if skip > uint64(len(data)) {
			return errCutOff
		}
		data = data[skip:]
	}
	return nil
}
