package read

import (
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Text forms that were cut off are read as far as they go, with a note.
func TestTextThatWasCutOff(t *testing.T) {
	const (
		goroutines = "goroutine profile: total 12\n10 @ 0x43a1d6 0x6d1a05\n#\t0x6d1a04\tmain.worker+0x44\t/src/main.go:20\n\n2 @ 0x43a1d6 0x6d1b05\n#\t0x6d1b04\tmain.main+0x84\t/src/main.go:40\n"
		heap       = "heap profile: 3: 3072 [5: 5120] @ heap/1048576\n3: 3072 [5: 5120] @ 0x6d1a05 0x46a981\n"
		event      = "app 1 1.000000: e: \n\t              10 hot+0x10 (/srv/app)\n"
	)
	for name, c := range map[string]struct{ text, note string }{
		"goroutines":               {goroutines, ""},
		"goroutines, no line end":  {strings.TrimSuffix(goroutines, "\n"), "its last line is not complete"},
		"goroutines, between them": {goroutines[:strings.Index(goroutines, "2 @")], "its first line counts 12, its stacks 10: the file may be cut off"},
		"goroutines, a bad line":   {strings.Replace(goroutines, "2 @", "? @", 1), "1 line was left out"},
		"heap":                     {heap, ""},
		"heap, in an address":      {heap[:len(heap)-4], "its last line is not complete"},
		"perf script, in a frame":  {event[:len(event)-6], "the blank line after the last event is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			p := readText(t, c.text)
			checkNotes(t, meta.FileNote.All(p), c.note)
			for _, f := range p.Function {
				if strings.Contains(f.Name, "(") {
					t.Errorf("function %q", f.Name)
				}
			}
		})
	}
}
