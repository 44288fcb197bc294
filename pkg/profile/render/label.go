package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is in a monospace font, so labels can be fitted without measuring them.
const (
	fontSize = 12.0
	// charRatio is the width of a character as a part of the font size, in the fonts that browsers use for "monospace".
	charRatio = 0.602
	// CharWidth is the width in pixels of a character at the usual font size.
	CharWidth = fontSize * charRatio
)

// fit shortens a name to a width in pixels. It drops template and type arguments first, then characters on the left, which are
// import paths and namespaces. It returns "" if there is no room for three characters.
func fit(name string, width float64) string {
	room := int((width - 6) / CharWidth)
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

// FitSmaller returns the label for n frames that are drawn as one: "(n smaller)", "(n)" or "", whichever fits the width in pixels.
func FitSmaller(n int, width float64) string {
	for _, label := range []string{fmt.Sprintf("(%d smaller)", n), fmt.Sprintf("(%d)", n)} {
		if fit(label, width) == label {
			return label
		}
	}
	return ""
}

// withoutTemplateArguments replaces template arguments, as in C++'s vector<int, allocator<int>>, by ‹…›. It keeps the angle
// brackets of operators and of Rust's "<T as Trait>::f".
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
	if depth > 0 { // not closed, so not arguments
		return name
	}
	return out.String()
}

func opensArguments(before string) bool {
	r, _ := utf8.DecodeLastRuneInString(before)
	return !strings.HasSuffix(before, "operator") && (r == '_' || r == ':' || unicode.IsLetter(r) || unicode.IsDigit(r))
}
