//go:build linux

package process

import (
	"os"
	"os/exec"
	"reflect"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// The samples of one PID have the same generation until the process executes another program.
func TestGenerations(t *testing.T) {
	pid := uint32(os.Getpid())
	sampleOf := func(execs uint32, started uint64) record.Sample {
		return record.Sample{Process: record.ProcessIdentity{TGID: pid, Execs: execs, Started: started}, PID: pid}
	}
	first := sampleOf(5, 100)
	elsewhere := first
	elsewhere.User = []uint64{8}
	cases := []struct {
		name string
		s    record.Sample
		same bool // same generation as the first sample
	}{
		{"same program", first, true},
		{"code in no mapping, mappings unchanged", elsewhere, true},
		{"execve", sampleOf(6, 100), false},
		{"PID reused by another process", sampleOf(5, 200), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := NewTable(nil, func(record.ProcessIdentity, int, []Mapping) {})
			defer table.Close()
			before, _ := table.Lookup(&first)
			before.read = time.Now().Add(-time.Hour)
			if after, _ := table.Lookup(&c.s); (after == before) != c.same {
				t.Errorf("generation %d after %d, want the same: %v", after.ID, before.ID, c.same)
			}
		})
	}
}

// A target that changes its mappings all the time, or has too many in many processes, takes a bounded
// amount of our memory and time.
func TestMappingsAreBounded(t *testing.T) {
	for name, exhaust := range map[string]func(*Table){
		"kept mappings":       func(t *Table) { t.kept = maxKeptMappings },
		"bytes of paths":      func(t *Table) { t.keptPaths = maxKeptPaths },
		"too long to be read": func(t *Table) { t.CutMappings = maxCutMappings },
	} {
		t.Run(name, func(t *testing.T) {
			table := NewTable(nil, func(record.ProcessIdentity, int, []Mapping) {})
			defer table.Close()
			exhaust(table)
			pid := uint32(os.Getpid())
			g, _ := table.Lookup(&record.Sample{Process: record.ProcessIdentity{TGID: pid}, PID: pid})
			if len(g.Mappings) != 0 || table.Unread != 1 {
				t.Errorf("%d mappings were kept beyond the limit, %d processes are unread", len(g.Mappings), table.Unread)
			}
		})
	}
}

// The mappings of a process that has more than are read are not read again.
func TestCutMappingsAreReadOnce(t *testing.T) {
	table := NewTable(nil, func(record.ProcessIdentity, int, []Mapping) {})
	defer table.Close()
	pid := uint32(os.Getpid())
	s := record.Sample{Process: record.ProcessIdentity{TGID: pid}, PID: pid, User: []uint64{8}} // in no mapping
	g, _ := table.Lookup(&s)
	for _, cut := range []bool{true, false} {
		g.cut, g.read, g.readings = cut, time.Now().Add(-time.Hour), 0
		if table.Lookup(&s); (g.readings == 0) != cut {
			t.Errorf("cut %v: read %d times more", cut, g.readings)
		}
	}
}

// A forked process that has exited, or has executed another program since the sample, inherits its parent's
// mappings. A process that exited after executing another program is counted as unread.
func TestForkedProcesses(t *testing.T) {
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		other.Process.Kill()
		other.Wait()
	}()
	self := record.ProcessIdentity{TGID: uint32(os.Getpid()), Execs: 5, Started: 100}
	here := uint64(reflect.ValueOf(TestForkedProcesses).Pointer())
	const noPID = 1 << 30 // above the largest PID
	cases := []struct {
		name      string
		s         record.Sample
		inherited bool
		unread    int
	}{
		{"exited", record.Sample{Process: record.ProcessIdentity{TGID: noPID, Execs: 5, Started: 200}, Parent: self, PID: noPID, User: []uint64{here}}, true, 0},
		{"exited after execve", record.Sample{Process: record.ProcessIdentity{TGID: noPID, Execs: 6, Started: 200}, PID: noPID, User: []uint64{here}}, false, 1},
		{"execve of the parent since the fork", record.Sample{Process: record.ProcessIdentity{TGID: noPID, Execs: 4, Started: 200}, Parent: record.ProcessIdentity{TGID: self.TGID, Execs: 4, Started: 100}, PID: noPID}, false, 1},
		{"execve since the sample", record.Sample{Process: record.ProcessIdentity{TGID: noPID, Execs: 5, Started: 200}, Parent: self, PID: uint32(other.Process.Pid), User: []uint64{here}}, true, 0},
		{"still running", record.Sample{Process: record.ProcessIdentity{TGID: noPID, Execs: 5, Started: 200}, Parent: self, PID: uint32(other.Process.Pid), User: []uint64{8}}, false, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := NewTable(nil, func(record.ProcessIdentity, int, []Mapping) {})
			defer table.Close()
			parent, _ := table.Lookup(&record.Sample{Process: self, PID: self.TGID})
			g, _ := table.Lookup(&c.s)
			if got := g.Mappings != nil && parent.FindMapping(here) != nil && g.FindMapping(here) == parent.FindMapping(here); got != c.inherited || table.Unread != c.unread {
				t.Errorf("inherited %v, %d unread; want %v, %d", got, table.Unread, c.inherited, c.unread)
			}
		})
	}
}

// The files of processes that are not profiled are not opened.
func TestFilesOfUnwantedProcesses(t *testing.T) {
	pid := uint32(os.Getpid())
	for name, c := range map[string]struct {
		only   []int
		wanted bool
	}{"all": {nil, true}, "another process": {[]int{1 << 30}, false}} {
		t.Run(name, func(t *testing.T) {
			loaded := 0
			table := NewTable(c.only, func(_ record.ProcessIdentity, _ int, mappings []Mapping) { loaded = len(mappings) })
			defer table.Close()
			g, wanted := table.Lookup(&record.Sample{Process: record.ProcessIdentity{TGID: pid}, PID: pid})
			if wanted != c.wanted || len(g.Mappings) == 0 || (len(table.files) > 0) != c.wanted || (loaded > 0) != c.wanted {
				t.Errorf("wanted %v: %d mappings, %d files, %d mappings to load tables of", wanted, len(g.Mappings), len(table.files), loaded)
			}
		})
	}
}
