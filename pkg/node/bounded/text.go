package bounded

import (
	"unicode/utf8"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/clean"
)

// maxText is the limit on one name, path or label in bytes. A path has at most 4,095 (PATH_MAX),
// and demangled names of C++ with many templates some thousand.
const maxText = 4 << 10

// Text returns s as it is written in the profile: without control characters and invalid UTF-8, and
// cut to maxText bytes. It returns an ellipsis once all texts of the profile are too long together.
func (p *Profile) Text(s string) string {
	if text, ok := p.text(s); ok {
		return text
	}
	return ellipsis
}

// text returns s as Text does. It returns false and counts s if there is too much text.
func (p *Profile) text(s string) (string, bool) {
	if known, ok := p.texts[s]; ok || s == "" {
		return known, true
	}
	written := Clean(s)
	size := len(written)
	if written != s {
		size += len(s)
	}
	if p.textBytes+size > maxAllText {
		p.leftOut.texts++
		return "", false
	}
	p.textBytes += size
	p.texts[s] = written
	return written, true
}

// Clean returns s without control characters and invalid UTF-8, and cut to at most maxText bytes.
func Clean(s string) string {
	return cut(clean.Text(cut(s, maxText)), maxText) // a replacement character is longer than what it replaces
}

const ellipsis = "…"

// cut returns s if it has at most limit bytes. Else it returns the beginning of s up to a whole
// character, and an ellipsis.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	for range utf8.UTFMax - 1 {
		if utf8.RuneStart(s[end]) {
			break
		}
		end--
	}
	return s[:end] + ellipsis
}
