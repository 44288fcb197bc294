package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is set in a monospace font, whose characters are all this share of the font's size wide in
// the fonts that browsers take for "monospace"; so labels can be fitted without measuring.
const (
	fontSize  = 12.0
	charWidth = fontSize * 0.602
)

// fit shortens a name to the characters that a width in pixels has room for: first its template
// or type arguments go, then it is cut at the left, where import paths and namespaces stand, for the end of a name
// says more. Empty if not even three characters have room.
func fit(name string, width float64) string {
	room := int((width - 6) / charWidth)
	if room < 3 {
		return ""
	}
	if utf8.RuneCountInString(name) <= room {
		return name
	}
	runes := []rune(strings.ReplaceAll(withoutTemplateArguments(name), "[...]", ""))
	if len(runes) <= room {
		return string(runes)
	}
	return "…" + string(runes[len(runes)-room+1:])
}

// FitSmaller is the label of n frames that are drawn together: whole, the number alone, or none.
func FitSmaller(n int, width float64) string {
	for _, label := range []string{fmt.Sprintf("(%d smaller)", n), fmt.Sprintf("(%d)", n)} {
		if fit(label, width) == label {
			return label
		}
	}
	return ""
}

// withoutTemplateArguments writes ‹…› for what stands between angle brackets after a name, as in C++'s
// vector<int, allocator<int>>. Operators keep theirs, and so does Rust's "<T as Trait>::f", which begins with one.
func withoutTemplateArguments(name string) string {
	var out strings.Builder
	depth := 0
	for i, r := range name {
		switch {
		case r == '<' && depth > 0, r == '<' && opensArguments(name[:i]):
			if depth == 0 {
				out.WriteString("‹…›")
			}
			depth++
		case r == '>' && depth > 0 && name[i-1] != '-':
			depth--
		case depth == 0:
			out.WriteRune(r)
		}
	}
	if depth > 0 { // it does not close: no arguments
		return name
	}
	return out.String()
}

func opensArguments(before string) bool {
	r, _ := utf8.DecodeLastRuneInString(before)
	return !strings.HasSuffix(before, "operator") && (r == '_' || r == ':' || unicode.IsLetter(r) || unicode.IsDigit(r))
}
