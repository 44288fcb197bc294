// Package embed encodes a whole profile as text in an SVG or HTML file, for the script in the file and for Decode. Its entry points
// are Encode and Decode. It must not depend on what the picture looks like.
//
// A payload is a header and a raw deflate stream (RFC 1951) of columns of varints. Most columns hold the difference to the row
// before, so that repetitions become zeros, which compress well. In the order of the stream:
//
//	strings    count, lengths, bytes; the first is ""
//	profile    time, duration, period, period type, default type, drop and keep expressions, URL,
//	           comments, sample types
//	mappings   one row each
//	functions  name, system name, file, start line
//	locations  mapping, address, folded, number of lines; for each line function, line, column, kind
//	tree       the stacks as a tree in depth-first order: for each node the number of levels to go up from the
//	           node before; then its location, see callees
//	labels     the distinct sets of labels, one row each
//	samples    node, labels, time, values
//
// Signed numbers are zigzag-coded.
package embed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/pprof/profile"
	"github.com/klauspost/compress/flate"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// Version is the version of the form that Encode writes. It goes up with every change of the header or the columns.
//
//	1  until November 2026. During development the column of lines changed without a new version. Files from before that
//	   decode to negative lines and are refused.
//	2  the columns of version 1
const Version = 2

// The header: magic, version as a digit, newline; length of the deflate stream, length inflated (8 bytes each, little endian);
// SHA-256 of the deflate stream.
const (
	magic      = "kpprof"
	headerSize = len(magic) + 2 + 8 + 8 + sha256.Size
)

// Bounds on what is read, besides those of package limits: files are not trusted. Profiles beyond them are not written either.
const (
	maxInflated = 128 << 20 // bytes
	maxRows     = 4 << 20   // of a table
)

var (
	// ErrDamaged means that a payload was cut off or changed.
	ErrDamaged = errors.New("the embedded profile is damaged")
	// ErrVersion means that a payload has a version that this program does not read.
	ErrVersion = errors.New("embedded profile has a form that this program cannot read")
)

// KindFunc returns the kind of code of a function, as a number for the script in the file.
type KindFunc func(*profile.Function, *profile.Mapping) uint8

// Encode encodes a valid profile. It keeps everything except the order of samples, locations and functions and the IDs of the
// latter two. Profiles that differ only in those have the same encoding.
func Encode(p *profile.Profile, kind KindFunc) ([]byte, error) {
	if err := limits.CheckSize(p); err != nil {
		return nil, fmt.Errorf("the profile cannot be put into a picture: %w", err)
	}
	if err := checkLines(p); err != nil {
		return nil, err
	}
	columns, err := encodeColumns(p, kind)
	if err != nil {
		return nil, err
	}
	if len(columns) > maxInflated || max(len(p.Sample), len(p.Location), len(p.Function)) > maxRows {
		return nil, fmt.Errorf("the profile is too large for a picture (%d samples in %d MiB); write it as pprof", len(p.Sample), len(columns)>>20)
	}
	out := bytes.NewBuffer(make([]byte, headerSize))
	level := flate.BestCompression
	if len(columns) > 1<<20 { // the best compression would take longer than drawing
		level = 6
	}
	deflate, err := flate.NewWriter(out, level)
	if err != nil {
		return nil, err
	}
	if _, err := deflate.Write(columns); err != nil {
		return nil, err
	}
	if err := deflate.Close(); err != nil {
		return nil, err
	}
	b := out.Bytes()
	copy(b, fmt.Sprintf("%s%d\n", magic, Version))
	binary.LittleEndian.PutUint64(b[8:], uint64(len(b)-headerSize))
	binary.LittleEndian.PutUint64(b[16:], uint64(len(columns)))
	sum := sha256.Sum256(b[headerSize:])
	copy(b[24:], sum[:])
	return b, nil
}

// Decode returns the profile in a payload. The error wraps ErrVersion if the payload has a version that this program does not
// read, and ErrDamaged if it is not what Encode returned.
func Decode(b []byte) (*profile.Profile, error) {
	columns, err := inflate(b)
	if err != nil {
		return nil, err
	}
	p, err := decodeColumns(columns)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if err := limits.CheckSize(p); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if err := checkLines(p); err != nil {
		if version(b) == 1 {
			return nil, fmt.Errorf("the picture was written by a development version of kubectl pprof, whose %w: take the profile again", ErrVersion)
		}
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	return p, nil
}

// checkLines returns an error if a line number is negative.
func checkLines(p *profile.Profile) error {
	for _, f := range p.Function {
		if f.StartLine < 0 {
			return fmt.Errorf("function %q starts at line %d", f.Name, f.StartLine)
		}
	}
	for _, l := range p.Location {
		for _, line := range l.Line {
			if line.Line < 0 {
				return fmt.Errorf("location %d has the line %d", l.ID, line.Line)
			}
		}
	}
	return nil
}

// version returns the version in a payload's header, or 0 if there is no header.
func version(b []byte) int {
	if len(b) < headerSize || string(b[:len(magic)]) != magic || b[len(magic)] < '1' || b[len(magic)] > '9' || b[len(magic)+1] != '\n' {
		return 0
	}
	return int(b[len(magic)] - '0')
}

func inflate(b []byte) ([]byte, error) {
	switch v := version(b); {
	case v == 0:
		return nil, fmt.Errorf("%w: it has no header", ErrDamaged)
	case v > Version:
		return nil, fmt.Errorf("the picture was made by a newer version of kubectl pprof: its %w (version %d, this program reads up to %d); update kubectl pprof", ErrVersion, v, Version)
	}
	length, inflated := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	sum, stream := b[24:headerSize], b[headerSize:]
	if length != uint64(len(stream)) {
		return nil, fmt.Errorf("%w: %d bytes of %d are there", ErrDamaged, len(stream), length)
	}
	if got := sha256.Sum256(stream); !bytes.Equal(got[:], sum) {
		return nil, fmt.Errorf("%w: it was changed (its SHA-256 differs)", ErrDamaged)
	}
	if inflated > maxInflated {
		return nil, fmt.Errorf("%w: it would inflate to %d bytes", ErrDamaged, inflated)
	}
	// The buffer grows with the data, not with the size in the header.
	columns, err := limits.Inflate(stream, int(inflated))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if uint64(len(columns)) != inflated {
		return nil, fmt.Errorf("%w: it does not inflate to %d bytes", ErrDamaged, inflated)
	}
	return columns, nil
}
