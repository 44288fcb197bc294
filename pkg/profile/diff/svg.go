package diff

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// Measures of the picture in pixels.
const (
	svgWidth  = 1200.0
	margin    = 10.0
	rowHeight = 17.0
	fontSize  = 12.0
	headEnd   = 92.0
	footSize  = 46.0
	maxRows   = 300
)

// thresholds are widths in pixels below which neighbouring frames are drawn as one. The first that keeps the file within its
// budget is used.
var thresholds = []float64{0.3, 0.6, 1, 2, 4, 8, 16, 40}

// maxDrawn is the size in bytes at which drawing stops: names may be long, and 300 rows have up to 1,200,000 frames.
const maxDrawn = 8 << 20

// stillBudget is the largest size in bytes of the static picture in an HTML file, for browsers that run no scripts.
const stillBudget = 30_000

// drawing is a drawn flame graph in two sections: the frames of the profile after, and above it the frames that are gone.
type drawing struct {
	removed, frames bytes.Buffer
	// head is the upper edge of the lower section, bottom its lower edge.
	head, bottom, least float64
	rows                int // of the lower section
	deeper              bool
	cut                 bool // drawing stopped at maxDrawn
}

// draw draws with the upper edge at top, as finely as the budget in bytes allows.
func (d *Diff) draw(top float64, budget int) (pic drawing) {
	for _, least := range thresholds {
		pic = d.drawAt(top, least)
		if pic.removed.Len()+pic.frames.Len() <= budget {
			break
		}
	}
	return pic
}

// drawAt draws frames that are at least as wide as least, in pixels.
func (d *Diff) drawAt(top, least float64) (pic drawing) {
	graph := d.rows([]*Node{d.Root}, least, func(n *Node) float64 { return float64(n.After) * d.after.scale })
	removed := d.removed()
	gone := d.rows(removed, least, func(n *Node) float64 { return float64(n.Before) * d.before.scale })
	unit := (svgWidth - 2*margin) / math.Max(math.Max(graph.total, gone.total), math.SmallestNonzeroFloat64)
	pic = drawing{head: top, least: least, rows: max(len(graph.rows), 3), deeper: graph.deeper || gone.deeper}
	if len(removed) > 0 {
		pic.head += float64(len(gone.rows))*rowHeight + 44
		fmt.Fprintf(&pic.removed, `<text x="%g" y="%g" font-weight="bold">Removed: only before, %s</text>`+"\n", margin, top+10, render.Escape(d.valueText(gone.total)))
		pic.cut = !d.drawGraph(&pic.removed, gone, unit, top+20+float64(len(gone.rows))*rowHeight)
	}
	out := &pic.frames
	pic.bottom = pic.head + float64(pic.rows)*rowHeight
	if graph.total == 0 {
		fmt.Fprintf(out, `<text x="%g" y="%g">Nothing after: the second profile has no samples.</text>`+"\n", margin, pic.bottom-4)
	}
	// The script redraws this group.
	fmt.Fprintf(out, `<g data-role="frames" data-head="%g" transform="translate(%g %g)">`+"\n", pic.head, margin, pic.bottom-float64(len(graph.rows))*rowHeight)
	fmt.Fprintf(out, `<g transform="translate(%g 0)">`, -margin)
	pic.cut = !d.drawGraph(out, graph, unit, float64(len(graph.rows))*rowHeight) || pic.cut
	out.WriteString("</g></g>\n")
	return pic
}

// note returns a sentence on what is not drawn.
func (pic drawing) note() string {
	note := fmt.Sprintf("Frames narrower than %g px are drawn together, as (n smaller); the file holds them all.", pic.least)
	if pic.deeper {
		note = fmt.Sprintf("Frames deeper than %d are not drawn. ", maxRows) + note
	}
	if pic.cut {
		note = fmt.Sprintf("Not all frames are drawn, because their names are long (%d MiB). ", maxDrawn>>20) + note
	}
	return note
}

// widths explains the picture.
const widths = "Width is the value after; callers below, callees above; siblings by name."

// WriteSVG draws a flame graph. Widths show the values after and colours the changes. Functions that are gone have no width there
// and are drawn in a section of their own above, on the same scale. Scripts and style sheets are not needed for that; where
// scripts run, they work on both profiles, which are embedded in the file.
func (d *Diff) WriteSVG(w io.Writer) error {
	p, err := d.both()
	if err != nil {
		return err
	}
	end, err := render.SVGEnd(p)
	if err != nil {
		return err
	}
	pic := d.draw(headEnd, max(render.SVGBudget-len(end)-10_000, 200_000))
	height := pic.bottom + footSize
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %[1]g %[2]g" font-family="monospace" font-size="%g" fill="#000000" role="img" aria-label="%s">`+"\n",
		svgWidth, height, fontSize, render.Escape(d.headline()))
	fmt.Fprintf(&out, "<desc>The file %s.</desc>\n", render.Escape(render.FileMark))
	fmt.Fprintln(&out, `<rect data-role="paper" width="100%" height="100%" fill="#ffffff"/>`)
	fmt.Fprintf(&out, `<text x="%g" y="24" font-size="17" font-weight="bold">%s</text>`+"\n", margin, render.Escape(d.headline()))
	fmt.Fprintf(&out, `<text x="%g" y="44" fill="#444444">%s</text>`+"\n", margin, render.Escape(d.totals()))
	writeLegend(&out, 60)
	fmt.Fprintf(&out, "<g>\n%s</g>\n", pic.removed.Bytes())
	out.Write(pic.frames.Bytes())
	fmt.Fprintf(&out, `<g data-role="foot" fill="#444444" transform="translate(%g %g)"><text data-role="detail" y="18">%s</text><text data-role="note" y="36">%s</text></g>`+"\n",
		margin, pic.bottom, render.Escape(widths), render.Escape(pic.note()))
	out.Write(end)
	_, err = w.Write(out.Bytes())
	return err
}

// WriteHTML writes the flame graph of WriteSVG as a page.
func (d *Diff) WriteHTML(w io.Writer) error {
	p, err := d.both()
	if err != nil {
		return err
	}
	var key, still bytes.Buffer
	key.WriteString("<p>\n")
	for _, c := range changeColors {
		render.WriteLegendEntry(&key, c.word, c.fill)
	}
	key.WriteString("</p>\n")
	pic := d.draw(0, stillBudget)
	svg := func(out *bytes.Buffer, what string, from, to float64, elements []byte) {
		fmt.Fprintf(out, `<svg width="%g" height="%g" viewBox="0 %g %g %g" font-family="monospace" font-size="%g" role="img" aria-label="%s"><rect y="%g" width="100%%" height="100%%" fill="#ffffff"/>`+"\n%s</svg>\n",
			svgWidth, to-from, from, svgWidth, to-from, fontSize, what, from, elements)
	}
	if pic.removed.Len() > 0 { // this section stays when the script redraws the rest
		key.WriteString("<details open><summary>Removed</summary>\n")
		svg(&key, "Removed functions", 0, pic.head-20, pic.removed.Bytes())
		key.WriteString("</details>\n")
	}
	svg(&still, render.Escape(d.headline()), pic.head, pic.bottom, pic.frames.Bytes())
	fmt.Fprintf(&still, "<p>%s %s A browser that runs the page's script shows all.</p>\n", render.Escape(widths), render.Escape(pic.note()))
	return render.WritePage(w, p, render.Page{Title: d.headline(), Lines: []string{d.totals()}, Legend: key.Bytes(), Still: still.Bytes()})
}

// removed returns the outermost nodes that are gone. Changes within the noise are left out: a function with few samples is
// missing by chance.
func (d *Diff) removed() (tops []*Node) {
	todo := []*Node{d.Root}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n.isGone() {
			if d.significant(n.Change) {
				tops = append(tops, n)
			}
			continue
		}
		for i := len(n.Children) - 1; i >= 0; i-- {
			todo = append(todo, n.Children[i])
		}
	}
	return tops
}

// box is the place of a frame, or of a run of narrow siblings, which has no node. Coordinates are in the unit of the values.
type box struct {
	*Node
	x, width float64
	smaller  int
}

// graph is the layout of a flame graph.
type graph struct {
	rows   [][]box
	total  float64
	deeper bool
}

// rows lays out trees side by side. The width of a node is its value; siblings narrower than narrowest pixels become one box.
func (d *Diff) rows(roots []*Node, narrowest float64, value func(*Node) float64) (g graph) {
	var row []box
	for _, n := range roots {
		if v := value(n); v > 0 {
			row = append(row, box{Node: n, x: g.total, width: v})
			g.total += v
		}
	}
	least := g.total * narrowest / (svgWidth - 2*margin)
	for len(row) > 0 {
		if len(g.rows) == maxRows {
			g.deeper = true
			return g
		}
		g.rows = append(g.rows, row)
		var next []box
		for _, parent := range row {
			if parent.Node == nil {
				continue
			}
			x := parent.x
			var narrow *box
			for _, c := range parent.Children {
				v := value(c)
				switch {
				case v <= 0:
				case v >= least:
					next, narrow = append(next, box{Node: c, x: x, width: v}), nil
				case narrow == nil:
					next = append(next, box{x: x, width: v, smaller: 1})
					narrow = &next[len(next)-1]
				default:
					narrow.width += v
					narrow.smaller++
				}
				x += max(v, 0)
			}
		}
		row = next
	}
	return g
}

// drawGraph draws a graph and reports whether it is complete. The lower edge of its roots is at
// bottom; unit is the width in pixels of a value of 1.
func (d *Diff) drawGraph(out *bytes.Buffer, g graph, unit, bottom float64) bool {
	for i, row := range g.rows {
		y := bottom - float64(i+1)*rowHeight
		for _, b := range row {
			if out.Len() > maxDrawn {
				return false
			}
			width := b.width * unit
			text, title, fill := render.FitSmaller(b.smaller, width), fmt.Sprintf("(%d smaller)", b.smaller), render.SmallerColor
			if b.Node != nil {
				text, title, fill = render.Fit(b.Name, width), d.describe(b.Node), d.fill(b.Change)
			}
			fmt.Fprintf(out, `<g><title>%s</title><rect x="%.2f" y="%g" width="%.2f" height="%g" fill="%s"/>`,
				render.Escape(title), margin+b.x*unit, y, math.Max(width-0.5, 0.1), rowHeight-1, fill)
			if text != "" {
				fmt.Fprintf(out, `<text x="%.2f" y="%g">%s</text>`, margin+b.x*unit+3, y+12, render.Escape(text))
			}
			fmt.Fprintln(out, "</g>")
		}
	}
	return true
}

// describe returns the tooltip of a frame.
func (d *Diff) describe(n *Node) string {
	text := fmt.Sprintf("%s\nbefore %s, after %s", n.Name, d.value(n.Before, d.before), d.value(n.After, d.after))
	switch {
	case n.New():
		return text + ": new"
	case n.isGone():
		return text + ": removed"
	case !d.significant(n.Change):
		return text + ": within the noise of sampling"
	}
	return text + ": " + d.quantity(n.Change)
}

func (d *Diff) valueText(v float64) string {
	if d.Normalized {
		return fmt.Sprintf("%.2f%%", share(v, d.normalTotal()))
	}
	return render.Quantity(int64(math.Round(v)), d.Unit)
}
