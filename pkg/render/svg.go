package render

import (
	"bufio"
	"cmp"
	_ "embed"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

//go:embed svg.js
var svgScript string

// Geometry of the picture, in pixels.
const (
	svgWidth    = 1200.0
	margin      = 10.0
	frameHeight = 17.0
	headHeight  = 92.0
	footHeight  = 30.0
	// svgFrames bounds the file: some 220 bytes a frame keep it below 2 MB. The widest are drawn.
	svgFrames = 8000
)

// box is a frame's place: x and width in pixels, row 0 at the bottom.
type box struct {
	*node
	x, width float64
	row      int
}

// writeSVG draws a flame graph: the root at the bottom, callees above their callers, siblings in
// the order of their names. Without scripts it is a complete still picture, and needs no style
// sheet, for those who look at it through a policy that blocks both; the script adds zoom and search.
func writeSVG(w io.Writer, p *profile.Profile) error {
	root := newTree(p)
	boxes, hidden := visible(layout(root))
	rows := 0
	for _, b := range boxes {
		rows = max(rows, b.row+1)
	}
	height := headHeight + float64(max(rows, 3))*frameHeight + footHeight
	unit := p.SampleType[valueIndex(p)].Unit

	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" font-family="monospace" font-size="%g" role="img" data-total="%d" data-unit=%q>`+"\n",
		svgWidth, height, svgWidth, height, fontSize, root.total, unit)
	fmt.Fprintf(out, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	writeHead(out, p)
	if root.total == 0 {
		fmt.Fprintf(out, `<text x="%g" y="%g" text-anchor="middle">%s</text>`+"\n", svgWidth/2, headHeight+30, escape(emptyReason(p)))
	}
	out.WriteString("<g data-role=\"frames\">\n")
	for _, b := range boxes {
		writeBox(out, b, height, root.total, unit)
	}
	out.WriteString("</g>\n")
	note := "Width is share of " + p.SampleType[valueIndex(p)].Type + " time; callers below, callees above; siblings by name."
	if hidden > 0 {
		note += fmt.Sprintf(" %d frames narrower than %.2f px are not drawn.", hidden, boxes[len(boxes)-1].width)
	}
	fmt.Fprintf(out, `<text data-role="detail" x="%g" y="%g" fill="#444444">%s</text>`+"\n", margin, height-10, escape(note))
	fmt.Fprintf(out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", svgScript)
	return out.Flush()
}

// layout places every node: a child above its parent, children side by side from the left.
func layout(root *node) []box {
	boxes := []box{{root, margin, svgWidth - 2*margin, 0}}
	if root.total == 0 {
		return nil
	}
	scale := boxes[0].width / float64(root.total)
	for i := 0; i < len(boxes); i++ { // grows as it goes: breadth first
		x := boxes[i].x
		for _, c := range boxes[i].children {
			width := float64(c.total) * scale
			boxes = append(boxes, box{c, x, width, boxes[i].row + 1})
			x += width
		}
	}
	return boxes
}

// visible keeps the widest boxes, the widest first, parents before their children, and counts the rest.
func visible(boxes []box) (kept []box, hidden int) {
	slices.SortStableFunc(boxes, func(a, b box) int { return cmp.Compare(b.width, a.width) })
	n := min(len(boxes), svgFrames)
	return boxes[:n], len(boxes) - n
}

func writeBox(out *bufio.Writer, b box, height float64, total int64, unit string) {
	y := height - footHeight - float64(b.row+1)*frameHeight
	fmt.Fprintf(out, `<g><title>%s
%s, %.2f%%</title><rect x="%s" y="%g" width="%s" height="%g" fill="%s"/>`,
		escape(b.name), Quantity(b.total, unit), percent(b.total, total),
		coordinate(b.x), y, coordinate(max(b.width-0.5, 0.1)), frameHeight-1, color(b.frame))
	if label := fit(b.name, b.width); label != "" {
		fmt.Fprintf(out, `<text x="%s" y="%g">%s</text>`, coordinate(b.x+3), y+12, escape(label))
	}
	out.WriteString("</g>\n")
}

func writeHead(out *bufio.Writer, p *profile.Profile) {
	title := "CPU flame graph"
	if pod := comment(p, "pod"); pod != "" {
		title = pod
		if c := comment(p, "container"); c != "" {
			title += " · " + c
		}
	}
	fmt.Fprintf(out, `<text x="%g" y="24" font-size="17" font-weight="bold">%s</text>`+"\n", margin, escape(fitHead(title, 17)))
	for i, line := range subtitles(p) {
		fmt.Fprintf(out, `<text x="%g" y="%d" fill="#444444">%s</text>`+"\n", margin, 42+16*i, escape(fitHead(line, fontSize)))
	}
	x := margin
	for k := range kindProcess {
		look := kindLook[k]
		fmt.Fprintf(out, `<rect x="%s" y="68" width="12" height="12" fill="%s"/><text x="%s" y="78">%s</text>`,
			coordinate(x), hex(look.hue, look.saturation, look.lightness), coordinate(x+16), look.word)
		x += 16 + float64(len(look.word)+2)*charWidth
	}
	out.WriteString("\n")
}

// subtitles are two lines: where the profile is from, and what it is.
func subtitles(p *profile.Profile) []string {
	s := Summarize(p, 0)
	var where, what []string
	for _, key := range []string{"node", "image"} {
		if v := comment(p, key); v != "" {
			where = append(where, key+" "+v)
		}
	}
	what = append(what, fmt.Sprintf("%s of %s", Quantity(s.Total, s.Unit), p.SampleType[valueIndex(p)].Type),
		fmt.Sprintf("in %.1fs", float64(p.DurationNanos)/1e9), fmt.Sprintf("%d samples", s.Samples))
	for _, key := range []string{"frequency", "lost samples", "partial"} {
		if v := comment(p, key); v != "" && v != "0" {
			what = append(what, key+" "+v)
		}
	}
	return []string{strings.Join(where, " · "), strings.Join(what, " · ")}
}

// fitHead cuts a heading at its right end: it begins with what matters.
func fitHead(s string, size float64) string {
	room := int((svgWidth - 2*margin) / (size * 0.602))
	if runes := []rune(s); len(runes) > room {
		return string(runes[:room-1]) + "…"
	}
	return s
}

// coordinate writes pixels with two digits and no trailing zeros, for there are many of them.
func coordinate(v float64) string {
	return strconv.FormatFloat(float64(int64(v*100+0.5))/100, 'f', -1, 64)
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
