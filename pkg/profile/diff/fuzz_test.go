package diff_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/diff"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/read"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// FuzzCompare compares two files and writes the difference in every form.
func FuzzCompare(f *testing.F) {
	f.Add([]byte("a;b 3\na;c 4\n"), []byte("a;b 9223372036854775807\n"), true)
	f.Add([]byte("a;b -3\n"), []byte("a;b -9223372036854775807\n"), false)
	f.Add([]byte("a\x1b[2J;b 1\n"), []byte("<script>;\u202eb 2\n"), true)
	f.Fuzz(func(t *testing.T, before, after []byte, normalize bool) {
		fuzzbudget.Enforce(t)
		p, err := read.Data(before)
		if err != nil {
			return
		}
		q, err := read.Data(after)
		if err != nil {
			return
		}
		d, err := diff.Compare(p, q, normalize)
		if err != nil {
			return
		}
		var table bytes.Buffer
		for _, err := range []error{d.WriteTable(&table), d.WriteSVG(io.Discard), d.WriteHTML(io.Discard), d.WritePprof(io.Discard)} {
			if err != nil {
				t.Error(err)
			}
		}
		isControl := func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
		}
		if i := strings.IndexFunc(table.String(), isControl); i >= 0 {
			t.Errorf("the table has a control character: %q", table.String()[i:])
		}
	})
}
