package render

import (
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render/embed"
)

// maxFile bounds the pictures that are read; those that Write makes stay far below.
const maxFile = 128 << 20 // bytes

// ErrNoProfile is the error of Read for a file that is no picture of ours.
var ErrNoProfile = embed.ErrNone

// Read reads the profile in an SVG or HTML file that Write has written. It equals the one that was
// written, but for the order of its samples. A file that was cut off or changed is an error.
func Read(r io.Reader) (*profile.Profile, error) {
	file, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(file) > maxFile {
		return nil, fmt.Errorf("the file is larger than %d MiB", maxFile>>20)
	}
	payload, err := embed.Find(file)
	if err != nil {
		return nil, err
	}
	return embed.Decode(payload)
}
