//go:build linux

package capture

import (
	"os"
	"os/exec"
	"reflect"
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

// A forked process that is gone, or runs another program by now, had what its parent has mapped; one that
// had executed another program is unread.
func TestForkedProcesses(t *testing.T) {
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		other.Process.Kill()
		other.Wait()
	}()
	self := program{tgid: uint32(os.Getpid()), execs: 5, started: 100}
	here := uint64(reflect.ValueOf(TestForkedProcesses).Pointer())
	const gone = 1 << 30 // above the largest PID
	cases := []struct {
		name      string
		s         sample
		inherited bool
		unread    int
	}{
		{"gone", sample{program: program{gone, 5, 200}, parent: self, pid: gone, user: []uint64{here}}, true, 0},
		{"gone after execve", sample{program: program{gone, 6, 200}, pid: gone, user: []uint64{here}}, false, 1},
		{"of a parent that has run another program since", sample{program: program{gone, 4, 200}, parent: program{self.tgid, 4, 100}, pid: gone}, false, 1},
		{"execve since the sample", sample{program: program{gone, 5, 200}, parent: self, pid: uint32(other.Process.Pid), user: []uint64{here}}, true, 0},
		{"still there", sample{program: program{gone, 5, 200}, parent: self, pid: uint32(other.Process.Pid), user: []uint64{8}}, false, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := newProcessTable(nil, func(program, int, []mapping) {})
			defer table.close()
			parent, _ := table.of(&sample{program: self, pid: self.tgid})
			g, _ := table.of(&c.s)
			if got := g.mappings != nil && parent.find(here) != nil && g.find(here) == parent.find(here); got != c.inherited || table.unread != c.unread {
				t.Errorf("inherited %v, %d unread; want %v, %d", got, table.unread, c.inherited, c.unread)
			}
		})
	}
}
