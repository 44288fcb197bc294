package read

import (
	"bytes"
	"fmt"
	"iter"

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

// firstLine returns the first line that is neither empty nor a comment, and whether it is text. The first field of
// profile.proto is not: it contains control characters.
func firstLine(data []byte) (line []byte, text bool) {
	for l := range bytes.Lines(data) {
		if l = bytes.TrimRight(l, "\r\n"); len(bytes.TrimSpace(l)) > 0 && l[0] != '#' {
			return l, !bytes.ContainsFunc(l, func(r rune) bool { return r < ' ' && r != '\t' })
		}
	}
	return nil, true
}

// foldedLines returns the lines that are neither empty nor comments, without white space at their end, and their numbers.
func foldedLines(data []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		number := 0
		for line := range bytes.Lines(data) {
			number++
			line = bytes.TrimRight(bytes.TrimPrefix(line, utf8Mark), " \t\r\n")
			if len(line) > 0 && !isFoldedComment(line) && !yield(number, line) {
				return
			}
		}
	}
}

// isFoldedComment reports whether a line is a comment. Stacks may begin with # as well: Ruby calls the methods of anonymous
// classes #<Class:0x00007f>#call.
func isFoldedComment(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	if len(line) == 0 || line[0] != '#' {
		return false
	}
	if len(line) == 1 || line[1] == ' ' || line[1] == '\t' {
		return true
	}
	_, _, ok := cutNumber(line)
	return !ok
}

// noteIncomplete adds a comment to the profile if the last line of its file has no end.
func noteIncomplete(p *profile.Profile, data []byte) {
	if !bytes.HasSuffix(data, []byte("\n")) {
		meta.FileNote.Add(p, "its last line is not complete: the file may be cut off")
	}
}
