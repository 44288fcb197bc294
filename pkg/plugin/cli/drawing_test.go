package cli

import (
	"os"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// A tree is coloured on a terminal that supports colours, unless NO_COLOR is set.
func TestTreeColors(t *testing.T) {
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	for name, c := range map[string]struct {
		path, term, noColor string
		want                bool
	}{
		"a terminal":             {path: "-", term: "xterm-256color", want: true},
		"no colours wanted":      {path: "-", term: "xterm-256color", noColor: "1"},
		"a terminal without any": {path: "-", term: "dumb"},
		"a file":                 {path: "a.tree", term: "xterm-256color"},
	} {
		t.Setenv("TERM", c.term)
		t.Setenv("NO_COLOR", c.noColor)
		d := drawing{stdout: tty, width: 70}
		if got := d.tree(outputFile{path: c.path, format: render.Tree}); got.Color != c.want || got.Columns != 70 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	t.Setenv("TERM", "xterm-256color")
	piped := drawing{stdout: w}
	if piped.tree(outputFile{path: "-"}).Color {
		t.Error("a pipe has colours")
	}
}
