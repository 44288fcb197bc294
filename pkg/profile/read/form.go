package read

import (
	"bytes"
	"regexp"

	"github.com/google/pprof/profile"
)

// form is a way in which files hold profiles.
type form struct {
	name string
	is   func(data []byte) bool
	read func(data []byte) (*profile.Profile, error)
}

// formOf tells a file's form, by its beginning. What is nothing else should be pprof's.
func formOf(data []byte) form {
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

// firstLine is the first line that is neither empty nor a comment, and whether it is text: profile.proto
// has bytes below the space in its first field.
func firstLine(data []byte) (line []byte, text bool) {
	for l := range bytes.Lines(data) {
		if l = bytes.TrimRight(l, "\r\n"); len(bytes.TrimSpace(l)) > 0 && l[0] != '#' {
			return l, !bytes.ContainsFunc(l, func(r rune) bool { return r < ' ' && r != '\t' })
		}
	}
	return nil, true
}

// isPicture knows SVG and HTML: they begin with a tag.
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
		return true // nothing but comments: the folded form of an idle container
	}
	_, _, ok := cutCount(line)
	return ok && text
}
