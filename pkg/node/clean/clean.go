// Package clean cleans text that the target chooses, such as names and paths, before it is written to
// terminals, files and messages. Its entry point is Text. It depends on no other package of this
// module.
package clean

import (
	"strings"
	"unicode"
)

// Text replaces each control character and each sequence of invalid UTF-8 by U+FFFD, the replacement
// character. It has three bytes, so the result may be longer.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}
