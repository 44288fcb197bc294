//go:build linux

package process

import (
	"os"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// A process that has executed another program keeps the mappings that were read for the first one only if
// something proves that they are not those of the second.
func TestMappingsOfProgramsExecutedInTurn(t *testing.T) {
	pid := uint32(os.Getpid())
	const later = 1 << 62 // than any reading
	sample := func(execs uint32, time uint64) *record.Sample {
		return &record.Sample{Process: record.ProcessIdentity{TGID: pid, Execs: execs, Started: 100}, PID: pid, Time: time}
	}
	cases := []struct {
		name    string
		samples []*record.Sample // after the first, which is of program 5
		moved   bool             // the first program's mappings differ from those that are read for the others
		runs    bool             // the kernel's list of tasks confirms the programs read after the first
		kept    bool             // the first program has its mappings
	}{
		{"no other program", nil, false, false, true},
		{"sampled again after the reading", []*record.Sample{sample(5, later), sample(6, 0)}, false, false, true},
		{"executed since", []*record.Sample{sample(6, 0)}, true, false, false},
		{"read after execve", []*record.Sample{sample(6, 0), sample(6, later)}, false, false, false},
		{"read before execve", []*record.Sample{sample(6, 0), sample(6, later)}, true, false, true},
		{"read before execve, as the kernel confirms", []*record.Sample{sample(6, 0)}, true, true, true},
		{"a program between was not sampled", []*record.Sample{sample(7, 0), sample(7, later)}, true, false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := NewTable(nil, func(record.ProcessIdentity, int, []Mapping) {})
			defer table.Close()
			table.Runs = func(record.ProcessIdentity) bool { return c.runs }
			first, _ := table.Lookup(sample(5, 0))
			if _, ok := vdso(first.Mappings); !ok {
				t.Fatal("the test's process has no vDSO")
			}
			for i := range first.Mappings {
				if c.moved && first.Mappings[i].Path == "[vdso]" {
					first.Mappings[i].Start++
				}
			}
			last := first
			for _, s := range c.samples {
				last, _ = table.Lookup(s)
			}
			unread := 0
			if !c.kept {
				unread = 1
			}
			if kept, second := first.Mappings != nil, last.Mappings != nil; kept != c.kept || !second || table.Unread != unread {
				t.Errorf("the first program has mappings: %v, want %v; the last: %v; %d unread", kept, c.kept, second, table.Unread)
			}
		})
	}
}
