package read

import (
	"encoding/binary"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// Numbers of the fields of profile.proto that hold lists (github.com/google/pprof, proto/profile.proto).
const (
	protoSampleType = 1
	protoSample     = 2
	protoMapping    = 3
	protoLocation   = 4
	protoFunction   = 5
	protoString     = 6
	protoComment    = 13

	protoSampleLocation = 1 // in a Sample
	protoSampleValue    = 2
	protoSampleLabel    = 3

	protoLocationLine = 4 // in a Location
)

// countProto walks a protocol buffer with a profile and counts all its elements before the decoder allocates them. It recognises
// files that are cut off, for which the decoder has no error of its own.
func countProto(data []byte) error {
	var b limits.Budget
	return eachField(data, func(f field) error {
		switch f.number {
		case protoSampleType:
			b.Strings(1)
		case protoSample:
			if err := countSample(&b, f.message); err != nil {
				return err
			}
		case protoMapping:
			b.Mappings(1)
		case protoLocation:
			if err := countLocation(&b, f.message); err != nil {
				return err
			}
		case protoFunction:
			b.Functions(1)
		case protoString:
			b.String(len(f.message))
		case protoComment:
			b.Strings(f.numbers())
		}
		return b.Err()
	})
}

func countSample(b *limits.Budget, sample []byte) error {
	labels, numbers := 0, 0
	err := eachField(sample, func(f field) error {
		switch f.number {
		case protoSampleLocation, protoSampleValue:
			numbers += f.numbers()
		case protoSampleLabel:
			labels++
		}
		return nil
	})
	b.Samples(1)
	b.Numbers(numbers)
	b.Labels(labels)
	return nested(err)
}

func countLocation(b *limits.Budget, location []byte) error {
	lines := 0
	err := eachField(location, func(f field) error {
		if f.number == protoLocationLine {
			lines++
		}
		return nil
	})
	b.Locations(1)
	b.Lines(lines)
	return nested(err)
}

// nested returns the error for a message inside the file: its length was right, so the file is not cut off, but damaged.
func nested(err error) error {
	if err != nil {
		return errNotPprof
	}
	return nil
}

// field is a field of a protocol buffer.
type field struct {
	number  uint64
	message []byte // of a field with a length; nil for a number
}

// numbers returns how many numbers the field of a repeated number holds: one, or many if they are packed.
func (f field) numbers() int {
	if f.message == nil {
		return 1
	}
	n := 0
	for _, b := range f.message {
		if b < 0x80 { // the last byte of a number
			n++
		}
	}
	return n
}

// eachField calls visit with each field of a protocol buffer (protobuf.dev/programming-guides/encoding). It does not descend into
// messages.
func eachField(data []byte, visit func(field) error) error {
	for len(data) > 0 {
		tag, size := uvarint(data)
		if size == 0 {
			return errCutOff
		}
		data = data[size:]
		f := field{number: tag >> 3}
		var skip uint64
		switch tag & 7 {
		case 0: // varint
			_, size := uvarint(data)
			if size == 0 {
				return errCutOff
			}
			skip = uint64(size)
		case 1:
			skip = 8
		case 2: // length, then as many bytes
			length, size := uvarint(data)
			if size == 0 {
				return errCutOff
			}
			if data, skip = data[size:], length; skip <= uint64(len(data)) {
				f.message = data[:skip:skip]
			}
		case 5:
			skip = 4
		default:
			return errNotPprof
		}
		if skip > uint64(len(data)) {
			return errCutOff
		}
		data = data[skip:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// uvarint decodes a number and returns it with its length in bytes, or 0 if it has no end. Like decodeVarint in
// github.com/google/pprof it ignores bits beyond 64, which binary.Uvarint refuses: what the decoder accepts has to be counted.
func uvarint(data []byte) (number uint64, size int) {
	for i, b := range data[:min(len(data), binary.MaxVarintLen64)] {
		number |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return number, i + 1
		}
	}
	return 0, 0
}
