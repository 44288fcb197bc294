package read

import (
	"bytes"
	"errors"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// fromPicture reads the profile embedded in an SVG or HTML file of package render.
func fromPicture(data []byte) (*profile.Profile, error) {
	p, err := render.Read(bytes.NewReader(data))
	if errors.Is(err, render.ErrNoProfile) {
		return nil, errors.New("the picture has no embedded profile: it was written by another tool, or edited; read the profile that it was made from")
	}
	return p, err
}
