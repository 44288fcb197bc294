package read

import (
	"fmt"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

const (
	// maxLine is the longest line of perf script and of Go's text forms that is read, in bytes.
	// Names of C++ templates reach some 30 kB.
	maxLine = 64 << 10
	// maxQuotedLine is the number of bytes of a line that a note quotes.
	maxQuotedLine = 80
)

// badLines counts the lines of a file that are left out.
type badLines struct {
	count  int
	number int // of the first
	text   string
}

func (b *badLines) add(number int, line []byte) {
	if b.count++; b.count == 1 {
		b.number, b.text = number, string(line[:min(len(line), maxQuotedLine)])
	}
}

// addNote adds a comment to the profile if lines were left out.
func (b *badLines) addNote(p *profile.Profile, expected string) {
	switch {
	case b.count == 1:
		meta.FileNote.Add(p, fmt.Sprintf(
			"1 line was left out, because it is not %s: line %d, %q", expected, b.number, b.text))
	case b.count > 1:
		meta.FileNote.Add(p, fmt.Sprintf(
			"%d lines were left out, because they are not %s; the first is line %d, %q",
			b.count, expected, b.number, b.text))
	}
}
