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

// stillBudget bounds the picture, in bytes, that is there for those whose browser runs no script.
const stillBudget = 5_500

// pagePolicy lets the page load nothing from anywhere, should a name ever become markup.
const pagePolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"

func writeHTML(w io.Writer, p *profile.Profile) error {
	payload, tree, err := encode(p)
	if err != nil {
		return err
	}
	var key, still bytes.Buffer
	writeKey(&key)
	writeStill(&still, p, tree, printable(p.SampleType[valueIndex(p)].Unit))
	return writePage(w, payload, Page{Title: title(p), Lines: subtitles(p), Key: key.Bytes(), Still: still.Bytes()})
}

// writeKey is the legend: colours as attributes of SVG, for a policy may block styles; one for each kind, that a narrow
// window can break lines between.
func writeKey(out *bytes.Buffer) {
	out.WriteString("<p>\n")
	for k := range kindProcess {
		WriteKeyEntry(out, kindLook[k].word, legendColor(k))
	}
	out.WriteString("</p>\n")
}

// WriteKeyEntry writes what a colour means.
func WriteKeyEntry(out *bytes.Buffer, word, color string) {
	fmt.Fprintf(out, `<svg width="%.0f" height="14" font-family="monospace" font-size="%g" fill="currentColor" role="img" aria-label="%s"><rect width="12" height="12" y="1" fill="%s"/><text x="16" y="11">%[3]s</text></svg>`+"\n",
		16+float64(len(word)+2)*charWidth, fontSize, word, color)
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
