package render

import (
	"bytes"
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render/embed"
)

// SVGEnd is the end of an SVG file that another package draws: the script, the profile, and the root element's end. The
// script draws anew what stands in the element with data-role "frames", and writes into those with "detail" and "note".
func SVGEnd(p *profile.Profile) ([]byte, error) {
	payload, err := embed.Encode(p, encodedKind)
	if err != nil {
		return nil, err
	}
	return append([]byte(svgScript()), embed.SVG(payload)...), nil
}

// SVGBudget is how many bytes an SVG has at the most, unless its profile alone takes more.
const SVGBudget = svgBudget

// FileMark is to stand in a description at the beginning of a file that ends with SVGEnd.
const FileMark = embed.Mark

// Page is what an HTML file shows besides its profile. Key and Still are markup: the legend, and what is there for those whose
// browser runs no script.
type Page struct {
	Title      string
	Lines      []string
	Key, Still []byte
}

// WritePage writes a page that draws the profile in it on a canvas of the window's size. What is in it before the script
// runs is a coarser still picture, in the DOM itself: <noscript> is not shown where a policy blocks scripts.
func WritePage(w io.Writer, p *profile.Profile, page Page) error {
	payload, err := embed.Encode(p, encodedKind)
	if err != nil {
		return err
	}
	return writePage(w, payload, page)
}

func writePage(w io.Writer, payload []byte, page Page) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="description" content="The file %s.">
<title>%s</title>
<style>
%s</style></head><body>
<h1>%[3]s</h1>
`, pagePolicy, escape(embed.Mark), escape(page.Title), pageStyle)
	for _, line := range page.Lines {
		if line != "" {
			fmt.Fprintf(&out, "<p>%s</p>\n", escape(line))
		}
	}
	out.Write(page.Key)
	fmt.Fprintf(&out, "<main data-role=\"still\">\n%s</main>\n<script>\n%s</script>\n", page.Still, packed("html"))
	out.Write(embed.HTML(payload))
	_, err := w.Write(out.Bytes())
	return err
}

func encodedKind(f *profile.Function, m *profile.Mapping) uint8 { return uint8(kindOf(f, m)) }
