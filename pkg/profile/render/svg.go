package render

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render/embed"
)

// Geometry of the picture, in pixels.
const (
	svgWidth    = 1200
	margin      = 10
	frameHeight = 17
	headHeight  = 192
	footHeight  = 46
	// ranked is the number of functions that are listed, in two columns.
	ranked = 10
)

// Budgets in bytes for the whole file, and bounds for the part of the frames in it.
const (
	svgBudget    = 2_000_000
	framesAtMost = 1_200_000 // more would take long to load
	framesBudget = 200_000   // even if the profile alone exceeds the budget
)

const smallerColor = "#dddddd" // of narrow frames that are drawn as one

// writeSVG draws a flame graph: the root at the bottom, callees above their callers, siblings in the order of their names. It works
// without scripts and style sheets, which a content security policy may block, so colours and fonts are attributes; and as an
// image, without tooltips. The whole profile is embedded in the file. Where scripts run, they redraw the frames from it.
func writeSVG(w io.Writer, p *profile.Profile) error {
	payload, tree, err := encode(p)
	if err != nil {
		return err
	}
	end := embed.SVG(payload)
	unit := printable(p.SampleType[valueIndex(p)].Unit)
	var out bytes.Buffer
	rest := svgBudget - len(end) - len(script("svg")) - 12_000 // head and foot, with long names
	frames := tree.draw(unit, svgWidth-2*margin, max(framesBudget, min(rest, framesAtMost)))
	rows := max(frames.rows, 3)
	height := headHeight + rows*frameHeight + footHeight

	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="monospace" font-size="%g" fill="#000000" role="img" aria-label="%s">`+"\n",
		svgWidth, height, fontSize, escape("Flame graph: "+title(p)))
	fmt.Fprintf(&out, "<desc>The file %s.</desc>\n", escape(embed.Mark))
	out.WriteString(`<rect data-role="paper" width="100%" height="100%" fill="#ffffff"/>` + "\n")
	writeHead(&out, p, tree.ranking(ranked), tree.total[0], unit)
	if tree.total[0] == 0 {
		fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", svgWidth/2, headHeight+30, escape(EmptyReason(p)))
	}
	fmt.Fprintf(&out, `<g data-role="frames" data-head="%d" transform="translate(%d %d)">`+"\n", headHeight, margin, headHeight+(rows-frames.rows)*frameHeight)
	out.Write(frames.elements)
	fmt.Fprintf(&out, "</g>\n"+`<g data-role="foot" fill="#444444" transform="translate(%d %d)">`, margin, headHeight+rows*frameHeight)
	fmt.Fprintf(&out, `<text data-role="detail" y="18">%s</text><text data-role="note" y="36">%s</text></g>`+"\n",
		escape("Width is the share of "+fitLine(typeName(p), 200, fontSize)+"; callers below, callees above; siblings by name; inlined calls are slanted."), escape(frames.note()))
	out.WriteString(svgScript())
	if _, err := w.Write(out.Bytes()); err != nil {
		return err
	}
	_, err = w.Write(end)
	return err
}

func svgScript() string { return fmt.Sprintf("<script><![CDATA[\n%s]]></script>\n", configured("svg")) }

// encode returns the embedded form and the tree of a profile, which it computes in parallel.
func encode(p *profile.Profile) ([]byte, *flame, error) {
	tree := make(chan *flame)
	go func() { tree <- newFlame(p) }()
	payload, err := embed.Encode(p, encodedKind)
	return payload, <-tree, err
}

// note returns a sentence on what is not drawn.
func (d drawn) note() string {
	note := fmt.Sprintf("Frames narrower than %g px are drawn together, as (n smaller); the file holds them all.", d.threshold)
	if d.deeper {
		note = fmt.Sprintf("Frames deeper than %d are not drawn. ", d.rows) + note
	}
	return note
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
