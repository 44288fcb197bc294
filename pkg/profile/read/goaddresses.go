package read

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// namedAddress matches a line with an address and its function, if that is known. Columns are
// separated by tabs, as many as align them.
var namedAddress = regexp.MustCompile(`^#\t+(0x[0-9a-f]{1,16})(?:\t+([^\t]+)\+0x[0-9a-f]+\t+([^\t]+):(\d{1,9}))?$`)

// nameAddresses sets the functions of locations from the lines of Go's text forms that have them.
// It removes from stacks the addresses for which there is no line: functions of the runtime at the
// leaf, and runtime.goexit at the root (printStackRecord in runtime/pprof/pprof.go).
func nameAddresses(p *profile.Profile, data []byte) error {
	unnamed := make(map[uint64]*profile.Location, len(p.Location))
	for _, l := range p.Location {
		if len(l.Line) == 0 {
			unnamed[l.Address] = l
		}
	}
	type key struct{ name, file string }
	functions := map[key]*profile.Function{}
	var b limits.Budget
	for line := range bytes.Lines(data) {
		if len(line) > maxLine || !bytes.HasPrefix(line, []byte("#\t")) {
			continue
		}
		m := namedAddress.FindSubmatch(bytes.TrimRight(line, " \t\r\n"))
		if m == nil {
			continue
		}
		address, _ := strconv.ParseUint(string(m[1]), 0, 64)
		l := unnamed[address]
		if l == nil {
			continue
		}
		delete(unnamed, address)
		if len(m[2]) == 0 {
			continue
		}
		at := key{string(m[2]), string(m[3])}
		f := functions[at]
		if f == nil {
			b.Functions(1)
			b.String(len(at.name) + len(at.file))
			if err := b.Err(); err != nil {
				return err
			}
			f = &profile.Function{
				ID: uint64(len(p.Function) + 1), Name: at.name, SystemName: at.name, Filename: at.file,
			}
			functions[at] = f
			p.Function = append(p.Function, f)
		}
		number, _ := strconv.ParseInt(string(m[4]), 10, 64)
		l.Line = []profile.Line{{Function: f, Line: number}}
	}
	if len(functions) > 0 {
		hidden := func(l *profile.Location) bool { return unnamed[l.Address] == l }
		for _, s := range p.Sample {
			s.Location = withoutHidden(s.Location, hidden)
		}
	}
	return nil
}

// withoutHidden returns a stack without hidden locations at its leaf and without a hidden root,
// unless all are hidden.
func withoutHidden(stack []*profile.Location, hidden func(*profile.Location) bool) []*profile.Location {
	leaf := slices.IndexFunc(stack, func(l *profile.Location) bool { return !hidden(l) })
	if leaf < 0 {
		return stack
	}
	if stack = stack[leaf:]; hidden(stack[len(stack)-1]) {
		stack = stack[:len(stack)-1]
	}
	return stack
}
