package read

import (
	"bytes"
	"regexp"

	"github.com/google/pprof/profile"
)

// form is a file format for profiles.
type form struct {
	name string
	is   func(data []byte) bool
	read func(data []byte) (*profile.Profile, error)
}

// detectForm returns the form of a file from the beginning of its content. Files that match no other form are taken for pprof's.
func detectForm(data []byte) form {
	for _, f := range []form{
		{"picture", isPicture, fromPicture},
		{"perf script", isPerfScript, fromPerfScript},
		{"folded stacks", isFolded, fromFolded},
	} {
		if f.is(data) {
			return f
		}
	}
	return form{"pprof", nil, fromPprof}
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

// isPicture reports whether a file is SVG or HTML, which begin with a tag.
func isPicture(data []byte) bool {
	return pictureTag.Match(bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF"))))
}

var pictureTag = regexp.MustCompile(`^(?i)<(\?xml|!doctype|!--|svg|html|head)`)

func isPerfScript(data []byte) bool {
	line, text := firstLine(data)
	return text && perfHeader.Match(line)
}

func isFolded(data []byte) bool {
	line, text := firstLine(data)
	if line == nil {
		return true // only comments: the folded stacks of an idle container
	}
	_, _, ok := cutCount(line)
	return ok && text
}
