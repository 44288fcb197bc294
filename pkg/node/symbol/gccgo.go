//go:build linux

package symbol

import (
	"slices"
	"strings"
)

// isGoOrUnknown reports whether the outermost function of the frames at an address may be Go's. The inlined
// ones have names from debugging information, which gccgo does not encode.
func isGoOrUnknown(frames []frame) bool {
	if len(frames) == 0 {
		return true
	}
	file := frames[len(frames)-1].file
	return file == "" || strings.HasSuffix(file, ".go")
}

// gccgoCodes are the characters that gccgo writes as an underscore and a hexadecimal digit, in the order of
// the digits (Special_char_code in gofrontend, go/go-encode-id.cc).
const gccgoCodes = `./*,{}[]()" ;`

// cloneSuffixes begin what GCC appends to the names of functions that it has split or specialized.
var cloneSuffixes = []string{"part.", "constprop.", "isra.", "cold", "lto_priv."}

// gccgoName returns the name of a function as it is in the source if gccgo has encoded it:
// "net/http.Get" is net_1http.Get. It returns names of C functions, and those that are not
// completely understood, unchanged.
func gccgoName(name string) string {
	_, rest, found := strings.Cut(name, ".")
	if !found || slices.ContainsFunc(cloneSuffixes, func(s string) bool { return strings.HasPrefix(rest, s) }) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '_' {
			b.WriteByte(name[i])
			continue
		}
		if i++; i == len(name) {
			return name
		}
		switch code := strings.IndexByte("0123456789abc", name[i]); {
		case name[i] == '_':
			b.WriteByte('_')
		case code >= 0:
			b.WriteByte(gccgoCodes[code])
		default:
			return name // a character by its number
		}
	}
	return b.String()
}
