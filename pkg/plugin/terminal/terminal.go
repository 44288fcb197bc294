// Package terminal prints text of others, such as the target's and the cluster's, to the user's
// terminal without letting it control the terminal. Its entry point is NewWriter. It must not
// depend on what is printed.
package terminal

import (
	"io"
	"os"
	"strconv"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Writer escapes what could control a terminal or hide a part of the text: control characters
// except tab and line feed, characters that change the direction of text or are invisible, and
// bytes that are not UTF-8. It writes them as in Go's string literals: "\x1b", "\u202e".
type Writer struct {
	under io.Writer
	mu    sync.Mutex
	half  []byte // the first bytes of a character of which the others have not been written yet
}

// NewWriter returns a Writer that writes to another one.
func NewWriter(w io.Writer) *Writer { return &Writer{under: w} }

// Write writes escaped text. It returns len(b) unless the writer below returns an error.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := append(w.half, b...)
	end := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if last := text[len(text)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				end -= i
			}
			break
		}
	}
	w.half = append([]byte(nil), text[end:]...)
	if _, err := w.under.Write(Escape(text[:end])); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Unescaped returns the writer below a Writer, and any other writer itself. It is for the program's
// own control sequences. Text of others must not be written to it.
func Unescaped(w io.Writer) io.Writer {
	if t, ok := w.(*Writer); ok {
		return t.under
	}
	return w
}

// Is reports whether a writer, or the one below a Writer, is a terminal.
func Is(w io.Writer) bool {
	_, ok := file(w)
	return ok
}

// Columns returns the width of a terminal in characters, or 0 if the writer is not a terminal.
func Columns(w io.Writer) int {
	f, ok := file(w)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

func file(w io.Writer) (*os.File, bool) {
	f, ok := Unescaped(w).(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// Escape returns text as Writer writes it.
func Escape(b []byte) []byte {
	escaped := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			const digits = "0123456789abcdef"
			escaped = append(escaped, '\\', 'x', digits[b[0]>>4], digits[b[0]&15])
		case isHarmful(r):
			quoted := strconv.AppendQuoteRune(nil, r)
			escaped = append(escaped, quoted[1:len(quoted)-1]...)
		default:
			escaped = append(escaped, b[:n]...)
		}
		b = b[n:]
	}
	return escaped
}

func isHarmful(r rune) bool {
	switch r {
	case '\t', '\n', '\u200c', '\u200d': // the last two join letters in some scripts
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
