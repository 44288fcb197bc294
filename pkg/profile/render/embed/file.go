package embed

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

// The element with the payload is the last one in a file, so that a file that was cut off lacks its end. It contains base64,
// broken into lines for editors and mail.
const (
	lineLength = 1000

	svgOpen, svgClose   = `<metadata data-role="profile">`, "</metadata>\n</svg>"
	htmlOpen, htmlClose = `<script type="text/plain" data-role="profile">`, "</script>\n</body></html>"
)

// ErrNone means that a file has no embedded profile.
var ErrNone = errors.New("the file has no embedded profile of kubectl pprof")

// SVG returns the end of an SVG file with a payload, from its element on.
func SVG(payload []byte) []byte { return element(svgOpen, payload, svgClose) }

// HTML returns the end of an HTML file with a payload, from its element on.
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

// Find returns the payload in an SVG or HTML file. The error is ErrNone if there is none, and wraps ErrDamaged if the file ends too
// early.
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

// Mark is written at the beginning of a file with a payload. It distinguishes a file that was cut off from a file of another program.
const (
	Mark = mark + "; `kubectl pprof` reads it again"
	mark = "carries its whole profile"
)

// withoutCR removes carriage returns, which mail adds, from the first 64 bytes.
func withoutCR(b []byte) []byte {
	return bytes.ReplaceAll(b[:min(len(b), 64)], []byte("\r"), nil)
}
