package read

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// pruned returns the stacks, as lines of names and values, of a profile with the given stacks, expressions and functions, each
// written as "root;inner+outer;leaf": outer is inlined into inner.
func pruned(t *testing.T, drop, keep string, lines ...string) (string, []string) {
	t.Helper()
	b := newBuilder(&profile.ValueType{Type: "space", Unit: "bytes"})
	for i, line := range lines {
		var frames []*profile.Location
		for frame := range strings.SplitSeq(line, ";") {
			var functions []*profile.Function
			for name := range strings.SplitSeq(frame, "+") {
				f, err := b.function(name)
				if err != nil {
					t.Fatal(err)
				}
				functions = append([]*profile.Function{f}, functions...)
			}
			l, err := b.newLocation(functions, "")
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, l)
		}
		if err := b.add(frames, []int64{int64(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	b.p.DropFrames, b.p.KeepFrames = drop, keep
	data, _ := encoded(t, b.p)
	p, err := Data(data)
	if err != nil {
		t.Fatal(err)
	}
	return stacks(p), meta.FileNote.All(p)
}

// Profiles name frames that are not shown: those that match, and what they call.
func TestDropAndKeepFrames(t *testing.T) {
	for name, c := range map[string]struct {
		drop, keep string
		lines      []string
		want       string
	}{
		"leaves":              {"malloc|tcmalloc::.*", "", []string{"main;fill;tcmalloc::slow;malloc"}, "main;fill [1]"},
		"the whole name":      {"malloc", "", []string{"main;mallocs", "main;xmalloc"}, "main;mallocs [1]\nmain;xmalloc [2]"},
		"keep":                {"runtime\\..*", "runtime\\.panic", []string{"main;runtime.panic;fill;runtime.malloc"}, "main;runtime.panic;fill [1]"},
		"at the root":         {"start", "", []string{"start;main;fill"}, "start;main;fill [1]"},
		"inlined":             {"malloc", "", []string{"main;fill+malloc;brk"}, "main;fill [1]"},
		"with arguments":      {"operator new", "", []string{"main;operator new(unsigned long);brk"}, "main [1]"},
		"nothing":             {"", "main", []string{"main;fill"}, "main;fill [1]"},
		"names with brackets": {"f", "", []string{"main;(anonymous namespace)::f", "main;f(int)"}, "main [2]\nmain;(anonymous namespace)::f [1]"},
	} {
		t.Run(name, func(t *testing.T) {
			got, notes := pruned(t, c.drop, c.keep, c.lines...)
			if got != c.want || len(notes) > 0 {
				t.Errorf("got\n%s\nwant\n%s; notes %q", got, c.want, notes)
			}
		})
	}
}

// Expressions that are invalid or cost too much are not used.
func TestDropFramesThatAreRefused(t *testing.T) {
	for name, drop := range map[string]string{
		"invalid":     "malloc(",
		"long":        strings.Repeat("malloc|", maxPruneExpr/6),
		"repetition":  "((a{100}){10}b{1000}c{1000}d{1000}e{1000})",
		"many braces": "malloc",
	} {
		t.Run(name, func(t *testing.T) {
			lines := []string{"main;malloc"}
			if name == "many braces" {
				for i := range 40 {
					lines = append(lines, fmt.Sprint(strings.Repeat("(", maxPruneName-10), i))
				}
			}
			got, notes := pruned(t, drop, "", lines...)
			if !strings.HasSuffix(got, "main;malloc [1]") || len(notes) != 1 || !strings.Contains(notes[0], "drop_frames") {
				t.Errorf("got %.100s, notes %q", got, notes)
			}
		})
	}
}
