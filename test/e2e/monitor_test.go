//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// With CRI-O the cgroup of a container's monitor has the container's ID in its name, too. The monitor is not
// profiled with the container.
func TestMonitorOfContainer(t *testing.T) {
	ns := namespace(t, "")
	pod := start(t, podOf(ns, "web", shop()))
	pid := mainProcess(t, pod)
	monitor := cgroupBeside(t, pid, "crio-conmon-"+containerIDs([]corev1.Pod{*pod})[0]+".scope")
	cmd := exec.Command(fmt.Sprintf("/proc/%d/root/spin", pid))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.Remove(monitor)
	})
	if err := os.WriteFile(filepath.Join(monitor, "cgroup.procs"), fmt.Append(nil, cmd.Process.Pid), 0); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"--ephemeral", "--job"} {
		p, _ := profileOf(t, "-n", ns, "web", mode, "-d", "2s")
		expectFunctions(t, p, shopFunctions, []string{"main.turnWheel"})
	}
}

// cgroupBeside creates a cgroup in the parent of that of a container's process, in the hierarchy of version 2
// or of the memory controller, and returns its directory.
func cgroupBeside(t *testing.T, pid int, name string) string {
	t.Helper()
	for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/cgroup", pid))) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if fields[1] != "" && fields[1] != "memory" || !strings.Contains(fields[2], "kubepods") {
			continue
		}
		dir := filepath.Join("/sys/fs/cgroup", fields[1], filepath.Dir(fields[2]), name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	t.Fatalf("process %d is in no cgroup of a container", pid)
	return ""
}
