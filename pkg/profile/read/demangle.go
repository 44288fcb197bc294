package read

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// Limits on demangling. Its time grows faster than the length of a name: a crafted name of 1 KiB takes up to 10 ms, one of
// 12 KiB 18 s. Names in real profiles take about 10 µs each.
const (
	maxMangled   = 1 << 10 // bytes of a mangled name; longer ones stay as they are
	maxDemangled = 12      // of a demangled name, as a power of two in bytes
	// maxDemangling bounds the sum of the squared lengths of all names, so that crafted names take at most some 2 s. 30,000
	// names of 90 bytes have 240 million.
	maxDemangling = 256 << 20
)

// rustHash matches names of Rust that were demangled as those of C++, as perf does if it does not know Rust: "<T>" is "$LT$T$GT$"
// in them, and the hash is at the end.
var rustHash = regexp.MustCompile(`^[^\s():].*::h[0-9a-f]{16}$`)

// demangler demangles the names of one profile. The zero value is ready for use.
type demangler struct{ used int }

// demangled returns a mangled C++ or Rust name as in the source and without parameters, as perf prints it, and any other name
// unchanged.
func (d *demangler) demangled(name string) string {
	if strings.Contains(name, "::h") && rustHash.MatchString(name) {
		return d.fromPath(name)
	}
	if !strings.HasPrefix(name, "_R") && !strings.HasPrefix(name, "_Z") && !strings.HasPrefix(name, "__Z") && !strings.HasPrefix(name, "___Z") {
		return name
	}
	cost := len(name) * len(name)
	if len(name) > maxMangled || cost > maxDemangling-d.used {
		return name
	}
	d.used += cost
	mangled, stub := strings.CutSuffix(name, "@plt")
	if strings.HasPrefix(mangled, "__Z") { // macOS puts an underscore before each name
		mangled = mangled[1:]
	}
	result := demangle.Filter(mangled, demangle.NoParams, demangle.MaxLength(maxDemangled))
	if result == mangled {
		return name
	}
	if stub {
		result += "@plt"
	}
	return result
}

// fromPath demangles a name that rustHash matches. It mangles the name first.
func (d *demangler) fromPath(name string) string {
	var mangled strings.Builder
	mangled.WriteString("_ZN")
	for part := range strings.SplitSeq(name, "::") {
		if part == "" {
			return name
		}
		fmt.Fprintf(&mangled, "%d%s", len(part), part)
	}
	mangled.WriteString("E")
	if result := d.demangled(mangled.String()); result != mangled.String() {
		return result
	}
	return name
}
