package embed

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

// The element that holds the payload is the last one in a file, so that one that was cut off anywhere lacks it.
// What stands between is base64 in lines, for editors and mail do not like long ones.
const (
	lineLength = 1000

	svgOpen, svgClose   = `<metadata data-role="profile">`, "</metadata>\n</svg>"
	htmlOpen, htmlClose = `<script type="text/plain" data-role="profile">`, "</script>\n</body></html>"
)

// ErrNone is the error of a file that carries no profile.
var ErrNone = errors.New("the file carries no profile of kubectl pprof")

// SVG is the end of an SVG file that carries an encoded profile, from its element on.
func SVG(payload []byte) []byte { return element(svgOpen, payload, svgClose) }

// HTML is the same for an HTML file.
func HTML(payload []byte) []byte { return element(htmlOpen, payload, htmlClose) }

func element(begin string, payload []byte, end string) []byte {
	text := base64.StdEncoding.EncodeToString(payload)
	out := bytes.NewBuffer(make([]byte, 0, len(text)+len(text)/lineLength+len(begin)+len(end)+3))
	out.WriteString(begin)
	for len(text) > 0 {
		n := min(lineLength, len(text))
		out.WriteString("\n" + text[:n])
		text = text[n:]
	}
	out.WriteString("\n" + end + "\n")
	return out.Bytes()
}

// Find gives the payload in an SVG or HTML file: ErrNone if there is none, ErrDamaged if the file ends too early.
func Find(file []byte) ([]byte, error) {
	for _, e := range [][2]string{{svgOpen, svgClose}, {htmlOpen, htmlClose}} {
		at := bytes.LastIndex(file, []byte(e[0]))
		if at < 0 {
			continue
		}
		text, rest, ok := bytes.Cut(file[at+len(e[0]):], []byte("<"))
		if !ok || !bytes.HasPrefix(withoutCR(append([]byte("<"), rest...)), []byte(e[1])) {
			return nil, fmt.Errorf("%w: the file ends too early", ErrDamaged)
		}
		payload := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		n, err := base64.StdEncoding.Decode(payload, bytes.Join(bytes.Fields(text), nil))
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
		}
		return payload[:n], nil
	}
	if bytes.Contains(file, []byte(mark)) {
		return nil, fmt.Errorf("%w: the file ends too early", ErrDamaged)
	}
	return nil, ErrNone
}

// Mark stands at the beginning of a file that carries a profile: without it a file cut off would not be told from
// another program's.
const (
	Mark = mark + "; `kubectl pprof` reads it again"
	mark = "carries its whole profile"
)

// withoutCR undoes line ends that mail changed.
func withoutCR(b []byte) []byte {
	return bytes.ReplaceAll(b[:min(len(b), 64)], []byte("\r"), nil)
}
