//go:build linux

package symbol

import (
	"strings"
	"time"

	"github.com/ianlancetaylor/demangle"
)

// Limits on demangling. Its time grows faster than the length of a name: a crafted name of 12 KiB
// takes 18 s, one of 1 KiB at most some 10 ms. Honest names take about 10 µs each, and real
// profiles have up to 30,000.
const (
	maxMangled    = 1 << 10         // bytes of a mangled name; longer ones stay as they are
	maxDemangled  = 12              // of a demangled name, as a power of two in bytes; short names can expand to any length
	maxDemangling = 2 * time.Second // CPU time for all names of a profile
	maxCached     = 8 << 20         // bytes of all names
)

// demangler demangles each name once.
type demangler struct {
	known   map[string]string
	bytes   int           // of known
	used    time.Duration // CPU time
	refused int           // mangled names that were too long or for which no time was left
}

// demangled returns a C++ or Rust name as it is in the source, and any other name unchanged. It
// keeps the suffix "@plt", with which objdump names stubs.
func (d *demangler) demangled(name string) string {
	if !isMangled(name) {
		return name
	}
	if known, ok := d.known[name]; ok {
		return known
	}
	mangled, stub := strings.CutSuffix(name, stubSuffix)
	result := mangled
	if len(mangled) > maxMangled || d.used > maxDemangling || d.bytes > maxCached {
		d.refused++
	} else {
		began := threadTime()
		result = demangle.Filter(mangled, demangle.MaxLength(maxDemangled))
		d.used += threadTime() - began
	}
	if stub {
		result += stubSuffix
	}
	if d.bytes > maxCached {
		return result
	}
	if d.known == nil {
		d.known = map[string]string{}
	}
	d.known[name] = result
	d.bytes += len(name) + len(result)
	return result
}

// stubSuffix follows the name of a function in the name of a stub that calls it.
const stubSuffix = "@plt"

// isMangled reports whether a name may be one that package demangle changes.
func isMangled(name string) bool {
	for _, prefix := range []string{"_R", "_Z", "___Z", "_GLOBAL_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
