package render

import (
	"bytes"
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render/embed"
)

// SVGEnd returns the end of an SVG file whose beginning another package has drawn: the script, the embedded profile, and the end tag
// of the root element. The script redraws the element with data-role "frames" and writes into those with "detail" and "note".
func SVGEnd(p *profile.Profile) ([]byte, error) {
	payload, err := embed.Encode(p, encodedKind)
	if err != nil {
		return nil, err
	}
	return append([]byte(svgScript()), embed.SVG(payload)...), nil
}

// SVGBudget is the largest size of an SVG file in bytes, unless the embedded profile alone is larger.
const SVGBudget = svgBudget

// FileMark must be in a description at the beginning of a file that ends with SVGEnd, so that files that were cut off are
// recognised.
const FileMark = embed.Mark

// Page is the content of an HTML file besides its profile. Legend and Still are markup; Still is the static picture for browsers
// that run no scripts.
type Page struct {
	Title         string
	Lines         []string
	Legend, Still []byte
}

// WritePage writes a page that draws its embedded profile on a canvas of the size of the window. Until the script runs it shows the
// static picture. That is not in <noscript>, which browsers hide where a policy blocks scripts.
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
	out.Write(page.Legend)
	fmt.Fprintf(&out, "<main data-role=\"still\">\n%s</main>\n<script>\n%s</script>\n", page.Still, packed("html"))
	out.Write(embed.HTML(payload))
	_, err := w.Write(out.Bytes())
	return err
}

// encodedKind is the KindFunc for embed.Encode.
func encodedKind(f *profile.Function, m *profile.Mapping) uint8 { return uint8(kindOf(f, m)) }
