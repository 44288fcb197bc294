package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

func TestNotesArePrintedWithinBounds(t *testing.T) {
	var out strings.Builder
	p := &profile.Profile{Comments: []string{"k: v"}}
	meta.FileNote.Add(p, "one line was left out\x1b[2J")
	printNotes(&out, "-", p)
	if got, want := out.String(), "stdin: one line was left out\uFFFD[2J\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range 1000 {
		meta.FileNote.Add(p, fmt.Sprint(i, strings.Repeat("x", 10_000)))
	}
	out.Reset()
	printNotes(&out, "a.perf", p)
	if n := strings.Count(out.String(), "\n"); n != maxNotes+1 || out.Len() > 2*maxNotes*maxNoteLength {
		t.Errorf("%d lines with %d bytes", n, out.Len())
	}
}
