package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// drawing holds the options of picture formats. Zero values mean the defaults.
type drawing struct {
	width  int     // pixels of a PNG, columns of a tree
	scale  float64 // of a PNG
	stdout io.Writer
}

func (d *drawing) addFlags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&d.width, "width", 0, fmt.Sprintf("width of a png in pixels, of a tree in columns (default %d; the terminal's)", render.DefaultPNGWidth))
	cmd.Flags().Float64Var(&d.scale, "scale", 0, fmt.Sprintf("pixels in the png file per pixel of its width, which enlarges text too (default %g)", render.DefaultPNGScale))
}

// validate checks that sizes are in range and that a file uses them.
func (d drawing) validate(files []outputFile) error {
	has := func(f render.Format) bool {
		return slices.ContainsFunc(files, func(one outputFile) bool { return one.format == f })
	}
	switch {
	case d.width != 0 && !has(render.PNG) && !has(render.Tree):
		return errors.New("--width is for the formats png and tree")
	case d.scale != 0 && !has(render.PNG):
		return errors.New("--scale is for the format png")
	case has(render.PNG):
		return render.PNGOptions{Width: d.width, Scale: d.scale}.Validate()
	}
	return nil
}

// write returns a function that writes a profile in the format of a file.
func (d drawing) write(p *profile.Profile) func(io.Writer, outputFile) error {
	return func(w io.Writer, f outputFile) error {
		if !slices.Contains(tables, f.format) {
			if err := checkDrawable(p); err != nil {
				return err
			}
		}
		switch f.format {
		case render.PNG:
			return render.WritePNG(w, p, render.PNGOptions{Width: d.width, Scale: d.scale})
		case render.Tree:
			return render.WriteTree(w, p, d.tree(f))
		}
		return render.Write(w, p, f.format)
	}
}

// tree returns the options of a tree: on a terminal, its width and, unless NO_COLOR is set
// (no-color.org), its colours.
func (d drawing) tree(f outputFile) render.TreeOptions {
	o := render.TreeOptions{Columns: d.width}
	if f.path != "-" || !terminal.Is(d.stdout) {
		return o
	}
	o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if o.Columns == 0 {
		o.Columns = terminal.Columns(d.stdout)
	}
	return o
}

// tables lists the formats that can hold negative values. Pictures cannot: a frame has a width.
var tables = []render.Format{render.Pprof, render.JSON, render.Text}

var errDifference = errors.New("it is a difference of profiles and has negative values: draw it from both profiles with kubectl pprof diff BEFORE AFTER")

// checkDrawable returns an error if the profile has negative values.
func checkDrawable(p *profile.Profile) error {
	for _, s := range p.Sample {
		if s.Value[render.ValueIndex(p)] < 0 {
			return errDifference
		}
	}
	return nil
}
