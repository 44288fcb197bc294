//go:build linux

package process

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// The perf map of a program does not name the code of the next one that the process executes, which may write none and
// have its code at the same addresses.
func TestPerfMapOfProgramExecutedBefore(t *testing.T) {
	code, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(code)
	for _, c := range []struct {
		name  string
		after time.Duration // when the file was written, from the last sample of the first program on
		want  bool
	}{
		{"written by the first program", -time.Second, false},
		{"written by the second program", time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := NewTable(nil, func(record.ProcessIdentity, int, []Mapping) {})
			defer table.Close()
			pid, last := uint32(os.Getpid()), time.Now()
			sample := func(execs uint32, at uint64) *record.Sample {
				return &record.Sample{Process: record.ProcessIdentity{TGID: pid, Execs: execs, Started: 100}, PID: pid, Time: at}
			}
			table.Lookup(sample(5, kernel.Monotonic()))
			second, _ := table.Lookup(sample(6, kernel.Monotonic()))
			if second.PerfMap == nil {
				t.Fatal("the code in anonymous memory was not found")
			}
			path := fmt.Sprintf("/tmp/perf-%d.map", pid)
			if err := os.WriteFile(path, []byte("1000 10 f\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(path)
			if err := os.Chtimes(path, last.Add(c.after), last.Add(c.after)); err != nil {
				t.Fatal(err)
			}
			if got := second.PerfMap.Open() != nil; got != c.want {
				t.Errorf("the second program has a perf map: %v, want %v", got, c.want)
			}
		})
	}
}
