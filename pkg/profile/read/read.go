// Package read reads profiles from files: pprof, the output of `perf script`, folded stacks, and the pictures of package render.
// Its entry points are File and Data. It must not depend on what is done with a profile. Files are not trusted: their size and
// all counts in them are bounded, and the profiles that are returned satisfy what package render requires.
package read

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/google/pprof/profile"
)

// maxSize is the largest size of a file in bytes, compressed or not. The folded stacks of a very large profile
// (100,000 distinct stacks, 27 deep) take 132 MB. It is a variable for tests.
var maxSize = 512 << 20

// errCutOff is wrapped by the errors for files that end too early.
var errCutOff = errors.New("the file is cut off")

// File reads the profile in a file, or from stdin if the path is "-". Errors name the file.
func File(path string, stdin io.Reader) (*profile.Profile, error) {
	in := stdin
	if path == "-" {
		path = "stdin"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, err // names operation and path
		}
		defer f.Close()
		in = f
	}
	data, err := readBounded(in)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	p, err := Data(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// readBounded reads at most maxSize bytes. More is an error.
func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(maxSize)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("more than %d MiB: too large for a profile", maxSize>>20)
	}
	return data, nil
}

// Data reads the profile in a file's content. The content alone determines the form, which may be gzipped.
func Data(data []byte) (*profile.Profile, error) {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		var err error
		if data, err = gunzip(data); err != nil {
			return nil, err
		}
	}
	if len(data) == 0 {
		return nil, errors.New("the file is empty")
	}
	p, err := detectForm(data).read(data)
	if err != nil {
		return nil, err
	}
	return p, check(p)
}

func gunzip(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = readBounded(z)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: its compressed data has no end", errCutOff)
	case err != nil:
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	return data, nil
}

// check returns an error for profiles that cannot be shown: without a sample type, or with sums that overflow.
func check(p *profile.Profile) error {
	if err := p.CheckValid(); err != nil {
		return err
	}
	if len(p.SampleType) == 0 {
		return errors.New("the profile has no sample type, so it has no values")
	}
	for i, typ := range p.SampleType {
		room := int64(math.MaxInt64)
		for _, s := range p.Sample {
			v := s.Value[i]
			if v == math.MinInt64 {
				return fmt.Errorf("a value of %s is out of range", typ.Type)
			}
			if room -= max(v, -v); room < 0 {
				return fmt.Errorf("the values of %s are too large to be summed", typ.Type)
			}
		}
	}
	return nil
}
