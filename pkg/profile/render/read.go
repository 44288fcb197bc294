package render

import (
	"io"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render/embed"
)

// maxFile is the largest size in bytes of the pictures that are read. Write makes much smaller ones.
const maxFile = 128 << 20

// ErrNoProfile is the error of Read for a file that was not written by this package.
var ErrNoProfile = embed.ErrNone

// Read returns the profile embedded in an SVG or HTML file that Write has written. It equals the profile that was written, except
// for the order of samples. It returns an error if the file was cut off or changed.
func Read(r io.Reader) (*profile.Profile, error) {
	file, err := limits.ReadAll(r, maxFile)
	if err != nil {
		return nil, err
	}
	payload, err := embed.Find(file)
	if err != nil {
		return nil, err
	}
	return embed.Decode(payload)
}
