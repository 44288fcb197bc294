package diff

import (
	"bytes"
	"fmt"
	"math"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// fill returns a frame's colour. It shows the cumulative change and is strongest where the value doubled or halved.
func (d *Diff) fill(c Change) string {
	if !d.significant(c) {
		return render.SameColor
	}
	if c.New() {
		return render.NewColor
	}
	delta := d.Delta(c)
	strength := math.Min(1, 2*math.Abs(delta)/math.Max(float64(c.After)*d.after.scale, float64(c.Before)*d.before.scale))
	to := render.MoreColor
	if delta < 0 {
		to = render.LessColor
	}
	return mix(to, 0.2+0.8*strength)
}

// mix returns a mixture of white and a colour, as "#rrggbb". Part is the share of the colour, from 0 to 1.
func mix(to [3]int, part float64) string {
	var rgb [3]int
	for i, v := range to {
		rgb[i] = int(math.Round(255 + (float64(v)-255)*part))
	}
	return fmt.Sprintf("#%02x%02x%02x", rgb[0], rgb[1], rgb[2])
}

// headline returns the title of the picture: what is compared.
func (d *Diff) headline() string {
	what := "Change of " + render.Printable(d.Type)
	if d.Normalized {
		what += ", as shares"
	}
	return what
}

// totals returns a line with the totals of both sides.
func (d *Diff) totals() string {
	total := d.Total()
	line := fmt.Sprintf("before %s, after %s", d.sideTotal(d.before), d.sideTotal(d.after))
	if !d.Normalized && total.Before != 0 {
		line += fmt.Sprintf(": %s (%+.1f%%)", d.quantity(total), 100*d.Delta(total)/float64(total.Before))
	}
	return line
}

// changeColors are the entries of the legend.
var changeColors = []struct{ word, fill string }{
	{"more", mix(render.MoreColor, 1)}, {"less, removed", mix(render.LessColor, 1)}, {"new", render.NewColor}, {"the same, or within the noise of sampling", render.SameColor},
}

// writeLegend writes the legend as SVG, with its upper edge at y.
func writeLegend(out *bytes.Buffer, y float64) {
	x := margin
	for _, e := range changeColors {
		fmt.Fprintf(out, `<rect x="%.2f" y="%g" width="12" height="12" fill="%s"/><text x="%.2f" y="%g">%s</text>`, x, y, e.fill, x+16, y+10, e.word)
		x += 16 + float64(len(e.word)+2)*render.CharWidth
	}
	out.WriteByte('\n')
}
