package read

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/google/pprof/profile"
)

// forms are the file formats for profiles, in the order in which they are tried. Files that match none are taken for profile.proto
// unless they are text.
var forms = []struct {
	is   func(data []byte) bool
	read func(data []byte) (*profile.Profile, error)
}{
	{isPicture, fromPicture},
	{isPerfData, fromPerfData},
	{isGperftools, fromGperftools},
	{isLegacyText, fromLegacyText},
	{isGoCount, fromGoCount},
	{isPerfScript, fromPerfScript},
	{isFolded, fromFolded},
}

var errUnknownForm = errors.New("this is neither a pprof file, nor the output of perf script, nor folded stacks, nor a picture of kubectl pprof (SVG or HTML): convert it to one of these with the tool that wrote it")

// fromAnyForm reads a file in the form that the beginning of its content shows.
func fromAnyForm(data []byte) (*profile.Profile, error) {
	for _, f := range forms {
		if f.is(data) {
			return f.read(data)
		}
	}
	if _, text := firstLine(data); text {
		return nil, explainForm(data, errUnknownForm)
	}
	p, err := fromProto(data)
	if errors.Is(err, errNotPprof) || errors.Is(err, errCutOff) {
		err = explainForm(data, fmt.Errorf("%w: copy it again, or convert it with the tool that wrote it", err))
	}
	return p, err
}

// isPicture reports whether a file is SVG or HTML, which begin with a tag.
func isPicture(data []byte) bool {
	return pictureTag.Match(bytes.TrimSpace(data))
}

var pictureTag = regexp.MustCompile(`^(?i)<(\?xml|!doctype|!--|svg|html|head)`)

// isPerfData reports whether a file is perf's own, perf.data (tools/perf/util/header.c, Linux 6.17).
func isPerfData(data []byte) bool {
	return bytes.HasPrefix(data, []byte("PERFILE2")) || bytes.HasPrefix(data, []byte("2ELIFREP"))
}

func fromPerfData([]byte) (*profile.Profile, error) {
	return nil, errors.New("this is a binary recording of perf (perf.data): convert it with perf script -i FILE, and read the output")
}

// perfSearch is how many bytes at the beginning of a file are searched for an event of perf script. Messages of perf and
// addr2line before it have some lines.
const perfSearch = 64 << 10

func isPerfScript(data []byte) bool {
	if _, text := firstLine(data); !text {
		return false
	}
	untimed := false // the last line may be an event without a time
	for line := range bytes.Lines(data[:min(len(data), perfSearch)]) {
		if startsFrame(line) {
			return true
		}
		if line = bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
			continue
		}
		text := string(line)
		if _, ok := timedHeader(text, true); ok {
			return true
		}
		if f, ok := parseFrame(text, false); untimed && ok && f.addressed {
			return true
		}
		h, ok := untimedHeader(text)
		if untimed = ok; ok && h.rest != "" && !isTracepoint(h.event) {
			return true // with its only frame
		}
		if _, _, ok := bareInLine(text); ok {
			return true
		}
	}
	return false
}

// foldedSample is the number of lines by which folded stacks are recognised. Half of them must be stacks.
const foldedSample = 100

func isFolded(data []byte) bool {
	if _, text := firstLine(data); !text {
		return false
	}
	stacks, others := 0, 0
	for _, line := range foldedLines(data) {
		if _, _, ok := cutNumber(line); ok {
			stacks++
		} else {
			others++
		}
		if stacks+others == foldedSample {
			break
		}
	}
	return stacks >= others // without lines: the folded stacks of an idle container
}
