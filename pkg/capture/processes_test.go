package capture

import (
	"os"
	"testing"
	"time"
)

// Stacks of one PID belong to one reading of its mappings until it runs another program.
func TestGenerations(t *testing.T) {
	pid := uint32(os.Getpid())
	of := func(execs uint32, started uint64) sample {
		return sample{program: program{pid, execs, started}, pid: pid}
	}
	first := of(5, 100)
	elsewhere := first
	elsewhere.user = []uint64{8}
	cases := []struct {
		name string
		s    sample
		same bool // generation as the first
	}{
		{"same program", first, true},
		{"code in no mapping, which have not changed", elsewhere, true},
		{"execve", of(6, 100), false},
		{"another process got the PID", of(5, 200), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := newProcessTable(nil, func(program, int, []mapping) {})
			defer table.close()
			before, _ := table.of(&first)
			before.read = time.Now().Add(-time.Hour)
			if after, _ := table.of(&c.s); (after == before) != c.same {
				t.Errorf("generation %d after %d, want the same: %v", after.id, before.id, c.same)
			}
		})
	}
}

// A target that changes its mappings all the time does not fill our memory.
func TestKeptMappingsAreBounded(t *testing.T) {
	table := newProcessTable(nil, func(program, int, []mapping) {})
	defer table.close()
	table.kept = maxKeptMappings
	pid := uint32(os.Getpid())
	g, _ := table.of(&sample{program: program{tgid: pid}, pid: pid})
	if len(g.mappings) != 0 || table.unread != 1 {
		t.Errorf("%d mappings were kept beyond the limit, %d processes are unread", len(g.mappings), table.unread)
	}
}
