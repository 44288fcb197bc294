// Package read reads profiles from files: pprof, the output of `perf script`, folded stacks, and the pictures of package render.
// Its entry points are File and Data, and Pprof for what a profiler sends. It must not depend on what is done with a profile.
// Files are not trusted: package limits bounds their sizes and all counts in them.
package read

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

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
	data, err := limits.ReadAll(in, limits.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	p, err := Data(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Data reads the profile in a file's content. The content alone determines the form, which may be gzipped.
func Data(data []byte) (*profile.Profile, error) {
	data, err := gunzipped(data)
	if err == nil {
		data, err = decodedText(data)
	}
	if err != nil {
		return nil, err
	}
	return checked(fromAnyForm(data))
}

// maxGzips is how many times a file may be gzipped. Some tools compress what a server has compressed.
const maxGzips = 3

// gunzipped returns the content of a gzipped file, and other files unchanged.
func gunzipped(data []byte) ([]byte, error) {
	for range maxGzips {
		if !isGzip(data) {
			break
		}
		var err error
		data, err = limits.Gunzip(data, limits.MaxFile)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("%w: its compressed data has no end", errCutOff)
		case err != nil:
			return nil, fmt.Errorf("decompressing: %w", err)
		}
	}
	if isGzip(data) {
		return nil, fmt.Errorf("it was gzipped more than %d times", maxGzips)
	}
	if len(data) == 0 {
		return nil, errors.New("the file is empty")
	}
	return data, nil
}

// checked returns the result of reading a form if it satisfies what package render requires, without the frames that the profile
// itself calls uninteresting.
func checked(p *profile.Profile, err error) (*profile.Profile, error) {
	if err != nil {
		return nil, err
	}
	if err := limits.Check(p); err != nil {
		return nil, err
	}
	dropUninteresting(p)
	return p, nil
}
