package programs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// Picture describes a picture in which a profile is embedded.
type Picture struct {
	Format render.Format `json:"format"`
	Bytes  int           `json:"bytes"`
}

// wantPicture is the largest acceptable size of a picture, in bytes.
const wantPicture = 2_000_000

// pictures renders a profile into out/realprograms and checks that reading it back returns the same
// profile.
func pictures(program string, p *profile.Profile) ([]Picture, error) {
	dir := filepath.Join("out", "realprograms")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var all []Picture
	for _, f := range []render.Format{render.SVG, render.HTML} {
		var file bytes.Buffer
		if err := render.Write(&file, p, f); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, program+f.Ending()), file.Bytes(), 0o644); err != nil {
			return nil, err
		}
		all = append(all, Picture{f, file.Len()})
		back, err := render.Read(&file)
		if err != nil {
			return nil, err
		}
		for _, form := range []render.Format{render.JSON, render.Folded} {
			var before, after bytes.Buffer
			if err := render.Write(&before, p, form); err != nil {
				return nil, err
			}
			if err := render.Write(&after, back, form); err != nil {
				return nil, err
			}
			if !bytes.Equal(before.Bytes(), after.Bytes()) {
				return nil, fmt.Errorf("the profile read back from its %s is another, as %s", f, form)
			}
		}
	}
	return all, nil
}
