package render

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/render/embed"
)

//go:embed web/page.css
var pageStyle string

// stillBudget bounds the picture, in bytes, that is there for those whose browser runs no script.
const stillBudget = 7_000

// pagePolicy lets the page load nothing from anywhere, should a name ever become markup.
const pagePolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"

// writeHTML writes a page that draws the profile in it on a canvas of the window's size. What is in it
// before the script runs is a coarser still picture, in the DOM itself: <noscript> is not shown where a
// policy blocks scripts.
func writeHTML(w io.Writer, p *profile.Profile) error {
	payload, tree, err := encode(p)
	if err != nil {
		return err
	}
	unit := printable(p.SampleType[valueIndex(p)].Unit)
	var out bytes.Buffer
	fmt.Fprintf(&out, `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="description" content="The file %s.">
<title>%s</title>
<style>
%s</style></head><body>
<h1>%[3]s</h1>
`, pagePolicy, escape(embed.Mark), escape(title(p)), pageStyle)
	for _, line := range subtitles(p) {
		fmt.Fprintf(&out, "<p>%s</p>\n", escape(line))
	}
	writeKey(&out)
	out.WriteString(`<main data-role="still">` + "\n")
	writeStill(&out, p, tree, unit)
	fmt.Fprintf(&out, "</main>\n<script>\n%s</script>\n", packed("html"))
	out.Write(embed.HTML(payload))
	_, err = w.Write(out.Bytes())
	return err
}

// writeKey is the legend: colours as attributes of SVG, for a policy may block styles.
func writeKey(out *bytes.Buffer) {
	fmt.Fprintf(out, `<svg width="%d" height="18" font-family="monospace" font-size="%g" fill="currentColor" role="img" aria-label="Colours"><g transform="translate(0 -66)">`, 800, fontSize)
	writeLegend(out)
	out.WriteString("</g></svg>\n")
}

func writeStill(out *bytes.Buffer, p *profile.Profile, tree *flame, unit string) {
	if tree.total[0] == 0 {
		fmt.Fprintf(out, "<p>%s</p>\n", escape(EmptyReason(p)))
		return
	}
	frames := tree.draw(unit, svgWidth-2*margin, stillBudget)
	fmt.Fprintf(out, `<svg width="%d" height="%d" font-family="monospace" font-size="%g" role="img" aria-label="Flame graph">`+"\n", svgWidth-2*margin, frames.rows*frameHeight, fontSize)
	out.Write(frames.elements)
	fmt.Fprintf(out, "</svg>\n<p>Callers below, callees above. %s A browser that runs the page's script shows all.</p>\n", escape(frames.note()))
	out.WriteString("<table><tr><th>own<th>with callees<th>function</tr>\n")
	for _, e := range tree.ranking(ranked) {
		fmt.Fprintf(out, "<tr><td>%.1f%%<td>%.1f%%<td>%s</tr>\n", percent(e.Flat, tree.total[0]), percent(e.Cum, tree.total[0]), escape(e.Name))
	}
	out.WriteString("</table>\n")
}
