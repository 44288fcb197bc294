package read

import (
	"bytes"
	"errors"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// fromPicture reads the profile that our SVG and HTML files carry.
func fromPicture(data []byte) (*profile.Profile, error) {
	p, err := render.Read(bytes.NewReader(data))
	if errors.Is(err, render.ErrNoProfile) {
		return nil, errors.New("this picture carries no profile: it is another tool's, or has been edited")
	}
	return p, err
}
