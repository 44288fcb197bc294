package bounded

import (
	"strings"
	"unicode"
	"unicode/utf8"
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
	text := Clean(s)
	size := len(text)
	if text != s {
		size += len(s)
	}
	if p.textBytes+size > maxAllText {
		p.leftOut.texts++
		return "", false
	}
	p.textBytes += size
	p.texts[s] = text
	return text, true
}

// Clean replaces control characters and invalid UTF-8, because the target chooses the text and it
// is written to terminals and files. It cuts the text to at most maxText bytes.
func Clean(s string) string {
	cleaned := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(Cut(s, maxText), string(unicode.ReplacementChar)))
	return Cut(cleaned, maxText) // a replacement character is longer than what it replaces
}

const ellipsis = "…"

// Cut returns s if it has at most limit bytes. Else it returns the beginning of s up to a whole
// character, and an ellipsis.
func Cut(s string, limit int) string {
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
