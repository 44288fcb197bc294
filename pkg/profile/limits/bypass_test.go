package limits

import (
	"regexp"
	"slices"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/source"
)

// unbounded are functions that decompress or parse profiles without limits, and the files that may call them.
var unbounded = []struct {
	call    *regexp.Regexp
	allowed []string
}{
	{
		regexp.MustCompile(`\b(gzip|zlib|flate|zstd|lzw|bzip2)\.New(Reader|Decoder)`),
		[]string{"pkg/profile/limits/decompress.go", "pkg/node/object/zdebug.go"},
	},
	{regexp.MustCompile(`\bprofile\.(Parse|ParseData|ParseUncompressed|ParseProcMaps|ParseMemoryMap\w*)\(`), []string{"pkg/profile/read/pprof.go", "pkg/profile/read/legacy.go"}},
}

// Everything that is received passes Gunzip or Inflate and package read.
func TestNothingBypassesTheLimits(t *testing.T) {
	for _, file := range source.Files(t, 100, "cmd", "pkg") {
		for _, u := range unbounded {
			if call := u.call.Find(file.Text); call != nil && !slices.Contains(u.allowed, file.Path) {
				t.Errorf("%s calls %s: use package limits or read, which have limits", file.Path, call)
			}
		}
	}
}
