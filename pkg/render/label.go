package render

import "unicode/utf8"

// Text is set in a monospace font, whose characters are all this share of the font's size wide in
// the fonts that browsers take for "monospace"; so labels can be fitted without measuring.
const (
	fontSize  = 12.0
	charWidth = fontSize * 0.602
)

// fit shortens a name to the characters that a width in pixels has room for. It cuts at the left,
// where import paths and namespaces stand: the end of a name says more. Empty if not even three
// characters have room.
func fit(name string, width float64) string {
	room := int((width - 6) / charWidth)
	if room < 3 {
		return ""
	}
	if utf8.RuneCountInString(name) <= room {
		return name
	}
	runes := []rune(name)
	return "…" + string(runes[len(runes)-room+1:])
}
