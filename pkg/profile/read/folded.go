package read

import (
	"bytes"
	"fmt"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// fromFolded reads folded stacks, one per line: the names from root to leaf separated by semicolons, a space, the number of
// samples. Differences have a second number, as difffolded.pl and inferno-diff-folded write them: before and after. Lines
// without a number are left out.
func fromFolded(data []byte) (*profile.Profile, error) {
	s := surveyFolded(data)
	b := newBuilder(s.types()...)
	var bad badLines
	end := false // the last line is a bad one
	for number, line := range foldedLines(data) {
		stack, values, ok := s.cutValues(line)
		if end = !ok; !ok {
			bad.add(number, line)
			continue
		}
		frames, err := b.foldedStack(stack)
		if err == nil {
			err = b.add(frames, values)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	s.addNotes(b.p)
	bad.addNote(b.p, s.expected())
	if end {
		noteIncomplete(b.p, data)
	}
	return b.p, nil
}

// foldedStack returns the frames of a stack, root first. A stack without names has no frames.
func (b *builder) foldedStack(stack []byte) ([]*profile.Location, error) {
	if len(stack) == 0 {
		return nil, nil
	}
	if err := limits.CheckDepth(bytes.Count(stack, []byte(";")) + 1); err != nil {
		return nil, err
	}
	var frames []*profile.Location
	for name := range bytes.SplitSeq(stack, []byte(";")) {
		l, err := b.foldedFrame(name)
		if err != nil {
			return nil, err
		}
		frames = append(frames, l)
	}
	return frames, nil
}

// foldedFrame returns the location of a frame. A mark at the end of its name describes the code: _[k] kernel, _[j] and
// _[1] compiled, _[0] interpreted, _[i] inlined (stackcollapse-perf.pl --all, async-profiler -o collapsed), _[w] the stack of a
// waker (offwaketime). The marks are removed, so that a function is one function however it was compiled.
func (b *builder) foldedFrame(name []byte) (*profile.Location, error) {
	const mark = len("_[k]")
	file := ""
	if n := len(name) - mark; n > 0 && name[n] == '_' && name[n+1] == '[' && name[n+3] == ']' {
		switch name[n+2] {
		case 'k':
			name, file = name[:n], kernelFile
		case 'j', 'i', 'w', '0', '1':
			name = name[:n]
		}
	}
	if len(name) == 0 {
		return b.location(file)
	}
	return b.location(file, string(name))
}
