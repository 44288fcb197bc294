package stacks

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/google/pprof/profile"
)

// WriteFolded writes a profile in the input format of flamegraph.pl, one line for each stack.
func WriteFolded(w io.Writer, p *profile.Profile) error {
	out := bufio.NewWriter(w)
	for _, s := range p.Sample {
		for i := len(s.Location) - 1; i >= 0; i-- {
			out.WriteString(s.Location[i].Line[0].Function.Name)
			if i > 0 {
				out.WriteByte(';')
			}
		}
		fmt.Fprintf(out, " %d\n", s.Value[0])
	}
	return out.Flush()
}

// ReadFolded reads the output of WriteFolded, one line at a time.
func ReadFolded(r io.Reader) (*profile.Profile, error) {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}}, Mapping: []*profile.Mapping{{ID: 1}}}
	known := map[string]*profile.Location{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Bytes()
		at := max(0, bytes.LastIndexByte(line, ' '))
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line[at:])), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d has no number at its end", len(p.Sample)+1)
		}
		stack := line[:at]
		s := &profile.Sample{Value: []int64{n}, Location: make([]*profile.Location, bytes.Count(stack, []byte(";"))+1)}
		for i := len(s.Location) - 1; i >= 0; i-- {
			var name []byte
			name, stack, _ = bytes.Cut(stack, []byte(";"))
			if s.Location[i] = known[string(name)]; s.Location[i] == nil {
				fn := &profile.Function{ID: uint64(len(known) + 1), Name: string(name), SystemName: string(name)}
				s.Location[i] = &profile.Location{ID: fn.ID, Mapping: p.Mapping[0], Line: []profile.Line{{Function: fn}}}
				known[fn.Name] = s.Location[i]
				p.Function, p.Location = append(p.Function, fn), append(p.Location, s.Location[i])
			}
		}
		p.Sample = append(p.Sample, s)
	}
	return p, lines.Err()
}
