//go:build linux

package symbol

import (
	"strings"
	"unicode"

	"github.com/ianlancetaylor/demangle"
)

// maxDemangled bounds a demangled name, for short mangled ones can unfold to any length: 2^12 bytes.
const maxDemangled = 12

// demangled gives a C++ or Rust name as its source has it, others as they are.
func demangled(name string) string {
	return demangle.Filter(name, demangle.MaxLength(maxDemangled))
}

// clean replaces control characters and what is not UTF-8: names of the target's choosing go to
// terminals and into files.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}
