//go:build linux

package container

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// startShell starts a shell in a cgroup. It executes another program when its stdin is closed.
func startShell(t *testing.T, cgroup string) (pid int, stdin io.Closer) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "echo $$ > "+cgroup+"/cgroup.procs && echo started && read line; exec sleep 1000")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return cmd.Process.Pid, stdin
}

// Update finds processes that have started, and programs that were executed, since the target was found.
func TestUpdate(t *testing.T) {
	need.Root(t)
	id := fmt.Sprintf("%064x", time.Now().UnixNano())
	cgroup := capturetest.NewCgroup(t, id)
	first, stdin := startShell(t, cgroup)
	target, err := Find(id, false)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	identityOf := func(pid int) record.ProcessIdentity {
		t.Helper()
		for _, task := range target.Tasks {
			if int(task.PID) == pid {
				return task.Process
			}
		}
		t.Fatalf("process %d is not among %+v", pid, target.Tasks)
		panic("unreachable")
	}
	before := identityOf(first)
	if !target.Runs(before) {
		t.Errorf("%+v does not run", before)
	}
	second, _ := startShell(t, cgroup)
	stdin.Close()
	capturetest.WaitFor(t, "the shell to execute another program", func() bool {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", first))
		return string(name) == "sleep\n"
	})
	if err := target.Update(); err != nil {
		t.Fatal(err)
	}
	if after := identityOf(first); after == before || !target.Runs(after) || target.Runs(before) {
		t.Errorf("before the program was executed %+v, after it %+v", before, after)
	}
	if identityOf(second); len(target.Tasks) != 2 || len(target.Processes) != 2 {
		t.Errorf("processes %+v, tasks %+v", target.Processes, target.Tasks)
	}
}
