package render

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"

	"github.com/google/pprof/profile"
)

//go:embed web/page.css
var pageStyle string

// stillBudget is the largest size in bytes of the static picture in a page, for browsers that run no scripts.
const stillBudget = 5_500

// pagePolicy forbids the page to load anything, in case a name is ever taken for markup.
const pagePolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"

func writeHTML(w io.Writer, p *profile.Profile) error {
	payload, tree, err := encode(p)
	if err != nil {
		return err
	}
	var legend, still bytes.Buffer
	writePageLegend(&legend)
	writeStill(&still, p, tree, printable(p.SampleType[valueIndex(p)].Unit))
	return writePage(w, payload, Page{Title: title(p), Lines: subtitles(p), Legend: legend.Bytes(), Still: still.Bytes()})
}

// writePageLegend writes the legend. Colours are SVG attributes, because a policy may block styles. Each kind is an element of its
// own, so that narrow windows can break the line between them.
func writePageLegend(out *bytes.Buffer) {
	out.WriteString("<p>\n")
	for k := range kindProcess {
		WriteLegendEntry(out, kindLook[k].word, legendColor(k))
	}
	out.WriteString("</p>\n")
}

// WriteLegendEntry writes an entry of a page's legend: a colour and its meaning.
func WriteLegendEntry(out *bytes.Buffer, word, color string) {
	fmt.Fprintf(out, `<svg width="%.0f" height="14" font-family="monospace" font-size="%g" fill="currentColor" role="img" aria-label="%s"><rect width="12" height="12" y="1" fill="%s"/><text x="16" y="11">%[3]s</text></svg>`+"\n",
		16+float64(len(word)+2)*CharWidth, fontSize, word, color)
}

// writeStill writes the static picture of a page and a table of the hottest functions.
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
		fmt.Fprintf(out, "<tr><td>%.1f%%<td>%.1f%%<td>%s</tr>\n", Percent(e.Flat, tree.total[0]), Percent(e.Cum, tree.total[0]), escape(e.Name))
	}
	out.WriteString("</table>\n")
}
