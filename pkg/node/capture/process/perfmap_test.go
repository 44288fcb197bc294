//go:build linux

package process

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// A process's list of code is found after its end, unless it is older than the process or that of
// another program that the process executed.
func TestPerfMapOfAProcess(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name     string
		written  time.Time // zero: there is none
		code     proc.Mapping
		replaced bool
		want     bool
	}{
		{"anonymous memory", now, proc.Mapping{Exec: true}, false, true},
		{"named anonymous memory", now, proc.Mapping{Exec: true, Path: "[anon:v8]"}, false, true},
		{".NET's shared memory", now, proc.Mapping{Exec: true, Path: "/memfd:doublemapper (deleted)", Inode: 7}, false, true},
		{"nothing but files", now, proc.Mapping{Exec: true, Path: "/bin/sleep", Inode: 7}, false, false},
		{"the vDSO", now, proc.Mapping{Exec: true, Path: "[vdso]"}, false, false},
		{"no list", time.Time{}, proc.Mapping{Exec: true}, false, false},
		{"older than the process", now.Add(-time.Hour), proc.Mapping{Exec: true}, false, false},
		{"another program", now, proc.Mapping{Exec: true}, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.Command("sleep", "60")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			p, err := proc.Open(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			table := NewTable(nil, func(record.ProcessIdentity, int, []Mapping) {})
			defer table.Close()
			g := table.add(p, []proc.Mapping{test.code}, &record.Sample{})
			g.PerfMap = table.perfMapOf(nil, g)
			if !test.written.IsZero() {
				path := fmt.Sprintf("/tmp/perf-%d.map", cmd.Process.Pid)
				if err := os.WriteFile(path, []byte("1000 10 f\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(path)
				if err := os.Chtimes(path, test.written, test.written); err != nil {
					t.Fatal(err)
				}
			}
			cmd.Process.Kill()
			cmd.Wait()
			if test.replaced {
				g.PerfMap.replaced()
			}
			if again := table.add(p, nil, &record.Sample{}); g.PerfMap != nil && table.perfMapOf(g, again) != g.PerfMap {
				t.Error("another reading of the same process has another list")
			}
			if got := g.PerfMap.Open() != nil; got != test.want {
				t.Errorf("a list was found: %v, want %v", got, test.want)
			}
		})
	}
}
