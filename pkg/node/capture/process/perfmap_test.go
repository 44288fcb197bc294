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

// A process's perf map is found after the process has exited, unless the file is older than the process or
// the process has executed another program.
func TestPerfMap(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name     string
		written  time.Time // zero if there is no file
		code     proc.Mapping
		replaced bool
		want     bool
	}{
		{"anonymous memory", now, proc.Mapping{Exec: true}, false, true},
		{"named anonymous memory", now, proc.Mapping{Exec: true, Path: "[anon:v8]"}, false, true},
		{".NET's shared memory", now, proc.Mapping{Exec: true, Path: "/memfd:doublemapper (deleted)", Inode: 7}, false, true},
		{"only files", now, proc.Mapping{Exec: true, Path: "/bin/sleep", Inode: 7}, false, false},
		{"the vDSO", now, proc.Mapping{Exec: true, Path: "[vdso]"}, false, false},
		{"no perf map", time.Time{}, proc.Mapping{Exec: true}, false, false},
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
			g.PerfMap = table.findOrAddPerfMap(nil, g)
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
				g.PerfMap.markReplaced()
			}
			if again := table.add(p, nil, &record.Sample{}); g.PerfMap != nil && table.findOrAddPerfMap(g, again) != g.PerfMap {
				t.Error("the next generation of the same program has another perf map")
			}
			if got := g.PerfMap.Open() != nil; got != test.want {
				t.Errorf("found a perf map: %v, want %v", got, test.want)
			}
		})
	}
}
