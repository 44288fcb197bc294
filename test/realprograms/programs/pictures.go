package programs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// Picture is what became of a profile as a picture that carries it.
type Picture struct {
	Format render.Format `json:"format"`
	Bytes  int           `json:"bytes"`
}

// wantPicture is the most that a picture may have, in bytes.
const wantPicture = 2_000_000

// pictures draws a profile into out/realprograms and reads it back, which must be what was drawn.
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
