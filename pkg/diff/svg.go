package diff

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/render"
)

// Measures of the picture in pixels. A monospace character is 0.602 of the font's size wide.
const (
	svgWidth  = 1200.0
	margin    = 10.0
	rowHeight = 17.0
	fontSize  = 12.0
	charWidth = fontSize * 0.602
	headEnd   = 92.0
	leastBox  = 0.3 // narrower frames are drawn as one
	mostRows  = 300
)

// WriteSVG draws a flame graph whose widths are the values after, and whose colours are the changes; code that is gone
// has no width there and a section of its own above the other, in the same measure. It needs no script and no style sheet.
func (d *Diff) WriteSVG(w io.Writer) error {
	graph := d.rows([]*Node{d.Root}, func(n *Node) float64 { return float64(n.After) * d.after.scale })
	removed := d.removed()
	gone := d.rows(removed, func(n *Node) float64 { return float64(n.Before) * d.before.scale })
	unit := (svgWidth - 2*margin) / math.Max(math.Max(graph.total, gone.total), math.SmallestNonzeroFloat64)

	goneHeight := 0.0
	if len(removed) > 0 {
		goneHeight = float64(len(gone.rows))*rowHeight + 44
	}
	bottom := headEnd + goneHeight + float64(max(len(graph.rows), 1))*rowHeight
	height := bottom + 26
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" font-family="monospace" font-size="%g" role="img">`+"\n",
		svgWidth, height, svgWidth, height, fontSize)
	fmt.Fprintln(out, `<rect width="100%" height="100%" fill="#ffffff"/>`)
	d.head(out)
	if len(removed) > 0 {
		d.draw(out, gone, unit, headEnd+20+float64(len(gone.rows))*rowHeight)
		fmt.Fprintf(out, `<text x="%g" y="%g" font-weight="bold">Removed: only before, %s</text>`+"\n", margin, headEnd+10, escape(d.valueText(gone.total)))
	}
	if graph.total == 0 {
		fmt.Fprintf(out, `<text x="%g" y="%g">Nothing after: the second profile has no samples.</text>`+"\n", margin, bottom-4)
	}
	d.draw(out, graph, unit, bottom)
	note := "Width is the value after; callers below, callees above; siblings by name."
	if graph.deeper || gone.deeper {
		note = fmt.Sprintf("Deeper than %d frames it is not drawn. ", mostRows) + note
	}
	fmt.Fprintf(out, `<text x="%g" y="%g" fill="#444444">%s</text>`+"\n</svg>\n", margin, height-10, note)
	return out.Flush()
}

// removed are the nodes of which nothing is left, and whose callers are not: the tops of what is gone. Changes within the
// noise stay out, for what is rare is missing by chance.
func (d *Diff) removed() (tops []*Node) {
	todo := []*Node{d.Root}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n.Gone() {
			if d.Certain(n.Change) {
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

// box is a frame as drawn, or several that are too narrow, without a node. Places are in the unit of the values.
type box struct {
	*Node
	x, width float64
	smaller  int
}

// graph is a flame graph laid out.
type graph struct {
	rows   [][]box
	total  float64
	deeper bool
}

// rows lays out trees side by side. A node's width is given by its value.
func (d *Diff) rows(roots []*Node, value func(*Node) float64) (g graph) {
	var row []box
	for _, n := range roots {
		if v := value(n); v > 0 {
			row = append(row, box{Node: n, x: g.total, width: v})
			g.total += v
		}
	}
	least := g.total * leastBox / (svgWidth - 2*margin)
	for len(row) > 0 {
		if len(g.rows) == mostRows {
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

// draw draws a graph with its roots' lower edge at bottom.
func (d *Diff) draw(out *bufio.Writer, g graph, unit, bottom float64) {
	fmt.Fprintln(out, "<g>")
	for i, row := range g.rows {
		y := bottom - float64(i+1)*rowHeight
		for _, b := range row {
			width, label, title, fill := b.width*unit, "", "", narrowFill
			if b.Node == nil {
				label = fmt.Sprintf("(%d smaller)", b.smaller)
				title = label
			} else {
				label, title, fill = b.Name, d.describe(b.Node), d.fill(b.Change)
			}
			fmt.Fprintf(out, `<g><title>%s</title><rect x="%.2f" y="%g" width="%.2f" height="%g" fill="%s"/>`,
				escape(title), margin+b.x*unit, y, math.Max(width-0.5, 0.1), rowHeight-1, fill)
			if text := render.Fit(label, width); text != "" {
				fmt.Fprintf(out, `<text x="%.2f" y="%g">%s</text>`, margin+b.x*unit+3, y+12, escape(text))
			}
			fmt.Fprintln(out, "</g>")
		}
	}
	fmt.Fprintln(out, "</g>")
}

// describe is what a pointer over a frame shows.
func (d *Diff) describe(n *Node) string {
	text := fmt.Sprintf("%s\nbefore %s, after %s", n.Name, d.value(n.Before, d.before), d.value(n.After, d.after))
	switch {
	case n.New():
		return text + ": new"
	case n.Gone():
		return text + ": removed"
	case !d.Certain(n.Change):
		return text + ": within the noise of sampling"
	}
	return text + ": " + d.quantity(n.Change)
}

func (d *Diff) valueText(v float64) string {
	if d.Normalized {
		return fmt.Sprintf("%.2f%%", share(v, d.largest()))
	}
	return render.Quantity(int64(math.Round(v)), d.Unit)
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
