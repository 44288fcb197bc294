package read

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/google/pprof/profile"
)

// fromFolded reads folded stacks, one per line: the names from root to leaf separated by semicolons, a space, the number of
// samples. The suffix _[k] marks kernel functions, as stackcollapse-perf.pl --kernel writes it.
func fromFolded(data []byte) (*profile.Profile, error) {
	b := newBuilder(&profile.ValueType{Type: "samples", Unit: "count"})
	number := 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
			continue
		}
		stack, count, ok := cutCount(line)
		if !ok {
			return nil, fmt.Errorf("line %d has no count after its stack%s", number, atEnd(data, line))
		}
		var frames []*profile.Location
		for name := range bytes.SplitSeq(stack, []byte(";")) {
			frames = append(frames, b.folded(name))
		}
		b.add(frames, count)
	}
	return b.p, nil
}

// atEnd returns an addition to the error for a line: if it is the last one, the file may be cut off.
func atEnd(data, line []byte) string {
	if bytes.HasSuffix(bytes.TrimRight(data, "\r\n"), line) {
		return ", which is the last: " + errCutOff.Error()
	}
	return ""
}

// cutCount splits a folded line at its last space and reports whether a count follows it.
func cutCount(line []byte) (stack []byte, count int64, ok bool) {
	space := bytes.LastIndexByte(line, ' ')
	if space <= 0 {
		return nil, 0, false
	}
	count, err := strconv.ParseInt(string(line[space+1:]), 10, 64)
	return line[:space], count, err == nil && count >= 0
}

func (b *builder) folded(name []byte) *profile.Location {
	if kernel, ok := bytes.CutSuffix(name, []byte("_[k]")); ok {
		return b.location(string(kernel), kernelFile)
	}
	return b.location(string(name), "")
}
