package diff

import (
	"bufio"
	"fmt"
	"math"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/render"
)

// Red and blue, of ColorBrewer's diverging RdBu (colorbrewer2.org), can be told apart with the common kinds of colour
// blindness; so can the yellow of what is new. Text on them is black: the darkest have a contrast of 4.5 to it.
var (
	more = [3]float64{0xef, 0x8a, 0x62}
	less = [3]float64{0x67, 0xa9, 0xcf}
)

const (
	sameFill   = "#eeeeee"
	narrowFill = "#dddddd"
	newFill    = "#f6d746"
)

// fill is a frame's colour: by its cumulative change, strongest where the value doubled or halved.
func (d *Diff) fill(c Change) string {
	if !d.Certain(c) {
		return sameFill
	}
	if c.New() {
		return newFill
	}
	delta := d.Delta(c)
	strength := math.Min(1, 2*math.Abs(delta)/math.Max(float64(c.After)*d.after.scale, float64(c.Before)*d.before.scale))
	to := more
	if delta < 0 {
		to = less
	}
	return mix(to, 0.2+0.8*strength)
}

// mix goes from white to a colour.
func mix(to [3]float64, part float64) string {
	var rgb [3]int
	for i, v := range to {
		rgb[i] = int(math.Round(255 + (v-255)*part))
	}
	return fmt.Sprintf("#%02x%02x%02x", rgb[0], rgb[1], rgb[2])
}

// head writes the title, the totals and the legend.
func (d *Diff) head(out *bufio.Writer) {
	total := d.Total()
	what := "Change of " + render.Printable(d.Type)
	if d.Normalized {
		what += ", as shares"
	}
	fmt.Fprintf(out, `<text x="%g" y="24" font-size="17" font-weight="bold">%s</text>`+"\n", margin, escape(what))
	line := fmt.Sprintf("before %s, after %s", d.whole(d.before), d.whole(d.after))
	if !d.Normalized && total.Before != 0 {
		line += fmt.Sprintf(": %s (%+.1f%%)", d.quantity(total), 100*d.Delta(total)/float64(total.Before))
	}
	fmt.Fprintf(out, `<text x="%g" y="44" fill="#444444">%s</text>`+"\n", margin, escape(line))
	x := margin
	for _, e := range []struct{ word, fill string }{
		{"more", mix(more, 1)}, {"less, removed", mix(less, 1)}, {"new", newFill}, {"the same, or within the noise of sampling", sameFill},
	} {
		fmt.Fprintf(out, `<rect x="%.2f" y="60" width="12" height="12" fill="%s"/><text x="%.2f" y="70">%s</text>`, x, e.fill, x+16, e.word)
		x += 16 + float64(len(e.word)+2)*charWidth
	}
	fmt.Fprintln(out)
}
