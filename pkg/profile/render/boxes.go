package render

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// thresholds are widths in pixels below which neighbouring frames are drawn as one. The first that keeps the file within its
// budget is used.
var thresholds = []float64{0.1, 0.15, 0.25, 0.4, 0.6, 1, 1.5, 2.5, 4, 6, 10, 16, 25, 40, 60, 75, 100}

// box is the place of a frame in the picture, or of a run of siblings that are too narrow to be drawn. X and width are in
// hundredths of a pixel; row 0 is the root.
type box struct {
	node     int32 // the first of a run
	smaller  int32 // number of frames in a run, else 0
	row      int32
	x, width int32
	value    int64
}

// boxes lays out the frames that are at least threshold pixels wide, in the given number of rows from the root: children above
// their parent, side by side from the left. It reports whether there are more rows.
func (f *flame) boxes(width, threshold float64, rows int32) (all []box, deeper bool) {
	if f.total[0] <= 0 {
		return nil, false
	}
	scale := width * 100 / float64(f.total[0])
	least := int64(threshold * 100 / scale)
	place := func(node, smaller int32, value int64) box {
		x, end := int32(float64(f.start[node])*scale+0.5), int32(float64(f.start[node]+value)*scale+0.5)
		return box{node, smaller, f.depth[node], x, end - x, value}
	}
	for i, n := int32(0), int32(len(f.total)); i < n; {
		if f.depth[i] >= rows {
			deeper = true
			i = f.end[i]
			continue
		}
		if f.total[i] > least {
			all = append(all, place(i, 0, f.total[i]))
			i++
			continue
		}
		first, value := i, int64(0)
		for i < n && f.parent[i] == f.parent[first] && f.total[i] <= least {
			value += f.total[i]
			i = f.end[i]
		}
		if value > least {
			all = append(all, place(first, i-first, value))
		}
	}
	return all, deeper
}

// picture draws frames as SVG elements.
type picture struct {
	*flame
	unit  string
	limit int // size in bytes at which drawing stops
	out   bytes.Buffer
}

// drawn is a finished picture.
type drawn struct {
	elements  []byte
	rows      int
	threshold float64 // pixels
	deeper    bool    // there are more rows
}

// Of very deep stacks a part is drawn if not all of it fits into the budget: as many rows as do, with frames of at least one of
// the widths.
var (
	fewerRows    = []int32{4000, 2000, 1000, 500, 250, 100}
	coarserSteps = []float64{1, 4, 16, 100}
)

// draw draws the frames as finely as the budget in bytes allows. If not all rows fit, it draws fewer.
func (f *flame) draw(unit string, width float64, budget int) drawn {
	var d drawn
	for _, t := range thresholds {
		var fits bool
		if d, fits = f.drawRows(unit, width, t, math.MaxInt32, budget); fits {
			return d
		}
	}
	for _, rows := range fewerRows {
		if int(rows) >= d.rows {
			continue // not fewer
		}
		for _, t := range coarserSteps {
			if part, fits := f.drawRows(unit, width, t, rows, budget); fits {
				return part
			}
		}
	}
	d, _ = f.drawRows(unit, width, thresholds[len(thresholds)-1], fewerRows[len(fewerRows)-1], max(budget, framesBudget))
	return d
}

// drawRows draws the frames that are at least threshold pixels wide, in the given number of rows. Drawing stops at the budget in
// bytes; drawRows reports whether everything fits.
func (f *flame) drawRows(unit string, width, threshold float64, rows int32, budget int) (d drawn, fits bool) {
	boxes, deeper := f.boxes(width, threshold, rows)
	d = drawn{threshold: threshold, deeper: deeper}
	for _, b := range boxes {
		d.rows = max(d.rows, int(b.row)+1)
	}
	if len(boxes)*8 > budget {
		return d, false
	}
	p := picture{flame: f, unit: unit, limit: budget}
	fits = p.drawBoxes(boxes, d.rows)
	d.elements = p.out.Bytes()
	return d, fits
}

// labelled is the width in pixels from which a frame is an SVG element of its own, with a tooltip.
const labelled = 1.0

// drawBoxes draws boxes up to the limit and reports whether all of them are drawn.
func (p *picture) drawBoxes(boxes []box, rows int) bool {
	narrow := map[string][]box{}
	for _, b := range boxes {
		if float64(b.width) < labelled*100 {
			narrow[p.fill(b)] = append(narrow[p.fill(b)], b)
		} else if !p.within(func() { p.drawBox(b, rows) }) {
			return false
		}
	}
	colors := make([]string, 0, len(narrow))
	for c := range narrow {
		colors = append(colors, c)
	}
	slices.Sort(colors)
	for _, c := range colors {
		if !p.within(func() { p.drawNarrow(c, narrow[c], rows) }) {
			return false
		}
	}
	return true
}

// within draws elements and reports whether the picture stays within its limit. If not, the elements are removed.
func (p *picture) within(draw func()) bool {
	before := p.out.Len()
	draw()
	if p.out.Len() <= p.limit {
		return true
	}
	p.out.Truncate(before)
	return false
}

// top returns the upper edge of a row in pixels, relative to the uppermost row.
func top(row int32, rows int) int { return (rows - 1 - int(row)) * frameHeight }

func (p *picture) fill(b box) string {
	if b.smaller > 0 {
		return smallerColor
	}
	return color(p.at(b.node))
}

func (p *picture) drawBox(b box, rows int) {
	y, gap := top(b.row, rows), int32(50)
	fmt.Fprintf(&p.out, `<g><title>%s</title><path fill="%s" d="M%s %dh%sv%dh-%sz"/>`,
		escape(p.tooltip(b)), p.fill(b), hundredths(b.x), y, hundredths(b.width-gap), frameHeight-1, hundredths(b.width-gap))
	label, style := fit(p.at(b.node).name, float64(b.width)/100), ""
	if b.smaller > 0 {
		label = FitSmaller(int(b.smaller), float64(b.width)/100)
	} else if p.inlined[b.node] {
		style = ` font-style="italic"`
	}
	if label != "" {
		fmt.Fprintf(&p.out, `<text x="%s" y="%d"%s>%s</text>`, hundredths(b.x+300), y+12, style, escape(label))
	}
	p.out.WriteString("</g>\n")
}

func (p *picture) tooltip(b box) string {
	name := p.at(b.node).name
	if b.smaller > 0 {
		name = fmt.Sprintf("(%d smaller)", b.smaller)
	} else if p.inlined[b.node] {
		name += " (inlined)"
	}
	return fmt.Sprintf("%s\n%s, %.2f%%", name, Quantity(b.value, p.unit), Percent(b.value, p.total[0]))
}

// drawNarrow draws all narrow frames of one colour as one line as thick as a row, with gaps. It takes about 10 bytes per frame.
func (p *picture) drawNarrow(color string, boxes []box, rows int) {
	fmt.Fprintf(&p.out, `<path stroke="%s" stroke-width="%d" d="`, color, frameHeight-1)
	slices.SortStableFunc(boxes, func(a, b box) int { return int(b.row) - int(a.row) })
	x, y := int32(0), 0
	for i, b := range boxes {
		at := top(b.row, rows) + (frameHeight-1)/2
		dx, dy := hundredths(b.x-x), strconv.Itoa(at-y)
		if i == 0 {
			p.out.WriteByte('M')
		} else {
			p.out.WriteByte('m')
		}
		p.out.WriteString(dx)
		if dy[0] != '-' {
			p.out.WriteByte(' ')
		}
		p.out.WriteString(dy)
		p.out.WriteByte('h')
		p.out.WriteString(hundredths(max(b.width, 5)))
		x, y = b.x+max(b.width, 5), at
	}
	p.out.WriteString("\"/>\n")
}

// hundredths formats hundredths of a pixel as pixels, in the fewest characters that SVG allows.
func hundredths(v int32) string {
	var b []byte
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	if v >= 100 || v == 0 {
		b = strconv.AppendInt(b, int64(v/100), 10)
	}
	if v%100 != 0 {
		b = append(b, '.', byte('0'+v%100/10))
		if v%10 != 0 {
			b = append(b, byte('0'+v%10))
		}
	}
	return string(b)
}
