//go:build linux

package proc

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

func TestMemoryCgroup(t *testing.T) {
	cases := map[string]struct {
		text, dir string
		unified   bool
	}{
		"v2":                         {"0::/kubepods.slice/pod1/cri-containerd-1.scope\n", "/kubepods.slice/pod1/cri-containerd-1.scope", true},
		"v1":                         {"12:cpu,cpuacct:/a\n9:memory:/kubepods/pod1/2\n0::/\n", "/kubepods/pod1/2", false},
		"own namespace":              {"0::/\n", "/", true},
		"above the namespace's root": {"0::/../3/../../x\n", "/x", true},
		"nothing":                    {"", "", true},
	}
	for name, c := range cases {
		if dir, unified := memoryCgroup(c.text); dir != c.dir || unified != c.unified {
			t.Errorf("%s: got %q, %v, want %q, %v", name, dir, unified, c.dir, c.unified)
		}
	}
}

// The limit of an ancestor cgroup counts, and so does the memory in use.
func TestMemoryRoom(t *testing.T) {
	need.Root(t) // to make cgroups
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	_, unified := memoryCgroup(string(text))
	files := memoryFilesOf[unified]
	root, err := mountCgroups(files.fs, files.option)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	// A mount for writing; the one above is read-only.
	hierarchy := t.TempDir()
	if out, err := exec.Command("mount", "-t", files.fs, "-o", "rw"+map[bool]string{true: "", false: ",memory"}[unified], "none", hierarchy).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	defer exec.Command("umount", hierarchy).Run()
	above := filepath.Join(hierarchy, "kubectl-pprof-room-test")
	inner := filepath.Join(above, "inner")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(above)
	defer os.Remove(inner)
	const limit = 200 << 20
	if unified {
		os.WriteFile(filepath.Join(hierarchy, "cgroup.subtree_control"), []byte("+memory"), 0)
		os.WriteFile(filepath.Join(above, "cgroup.subtree_control"), []byte("+memory"), 0)
	}
	if err := os.WriteFile(filepath.Join(above, files.limit), []byte(strconv.Itoa(limit)), 0); err != nil {
		t.Fatal(err)
	}
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleep.Wait()
	defer sleep.Process.Kill()
	before, err := AvailableMemory(sleep.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(inner, "cgroup.procs"), []byte(strconv.Itoa(sleep.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	after, err := AvailableMemory(sleep.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if before != math.MaxInt64 && before < limit || after > limit || after < limit-(8<<20) {
		t.Errorf("%d bytes available without the limit, %d with a limit of %d", before, after, limit)
	}
}
