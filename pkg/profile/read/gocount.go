package read

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// countHeader matches the first line of Go's goroutine and threadcreate profiles with ?debug=1, and of a program's own profiles.
var countHeader = regexp.MustCompile(`^(\S.*) profile: total (\d+)$`)

func isGoCount(data []byte) bool {
	line, text := firstLine(data)
	return text && len(line) <= maxLine && countHeader.Match(line)
}

// fromGoCount reads the text that runtime/pprof writes with debug=1 for profiles that count stacks (printCountProfile in
// runtime/pprof/pprof.go): a number of goroutines or threads, "@", and return addresses, the leaf first. Lines that begin with #
// have the functions. A memory map may follow.
//
//	10 @ 0x43a1d6 0x6d1a05
//	#	0x6d1a04	main.worker+0x44	/src/main.go:20
func fromGoCount(data []byte) (*profile.Profile, error) {
	if len(data) > maxLegacy {
		return nil, errLargeLegacy
	}
	header, _ := firstLine(data)
	fields := countHeader.FindSubmatch(header)
	typ := &profile.ValueType{Type: string(fields[1]), Unit: "count"}
	b := newBuilder(typ)
	b.p.PeriodType, b.p.Period = typ, 1
	addresses := map[uint64]*profile.Location{}
	var bad badLines
	number, begun := 0, false
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if !begun {
			begun = true // after the header
			continue
		}
		if bytes.HasPrefix(line, []byte("---")) {
			break // a memory map
		}
		count, stack, ok := cutCount(line)
		if !ok {
			bad.add(number, line)
			continue
		}
		if err := b.addAddresses(addresses, stack, count); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := nameAddresses(b.p, data); err != nil {
		return nil, err
	}
	bad.addNote(b.p, "a count and a stack of addresses")
	var sum int64
	for _, s := range b.p.Sample {
		sum += s.Value[0]
	}
	if total, err := strconv.ParseInt(string(fields[2]), 10, 64); err == nil && total != sum {
		meta.FileNote.Add(b.p, fmt.Sprintf("its first line counts %d, its stacks %d: the file may be cut off", total, sum))
	} else {
		noteIncomplete(b.p, data)
	}
	return b.p, nil
}

// cutCount splits a line "10 @ 0x1 0x2" into its count and addresses. A stack may be empty.
func cutCount(line []byte) (count int64, stack [][]byte, ok bool) {
	before, after, ok := bytes.Cut(line, []byte(" @"))
	if !ok {
		return 0, nil, false
	}
	count, err := strconv.ParseInt(string(before), 10, 64)
	stack = bytes.Fields(after)
	for len(stack) > 0 && string(stack[len(stack)-1]) == "0x0" {
		stack = stack[:len(stack)-1] // Go fills the stacks of threads that are not known with zeros
	}
	for _, s := range stack {
		if !bytes.HasPrefix(s, []byte("0x")) || len(s) > len("0x")+16 {
			return 0, nil, false
		}
	}
	return count, stack, err == nil && count >= 0
}

// addAddresses adds a stack of return addresses, the leaf first.
func (b *builder) addAddresses(known map[uint64]*profile.Location, stack [][]byte, count int64) error {
	if err := limits.CheckDepth(len(stack)); err != nil {
		return err
	}
	frames := make([]*profile.Location, len(stack))
	for i, text := range stack {
		address, err := strconv.ParseUint(string(text), 0, 64)
		if err != nil {
			return err
		}
		address-- // of the call, as in the lines with functions
		l := known[address]
		if l == nil {
			if l, err = b.newLocation(nil, ""); err != nil {
				return err
			}
			l.Address = address
			known[address] = l
		}
		frames[len(stack)-1-i] = l
	}
	return b.add(frames, []int64{count})
}
