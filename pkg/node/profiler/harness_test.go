//go:build linux

package profiler

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
)

// program builds a command of this module once.
func program(t *testing.T, pkg string) string {
	t.Helper()
	p, _ := programs.LoadOrStore(pkg, sync.OnceValues(func() (string, error) {
		path := filepath.Join(buildDir, filepath.Base(pkg))
		cmd := exec.Command("go", "build", "-o", path, "github.com/kubectl-pprof/kubectl-pprof/"+pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
		return path, nil
	}))
	path, err := p.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	programs sync.Map
	buildDir string
)

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "profiler"); err == nil {
		err = os.Chmod(buildDir, 0o755) // some tests run it as another user
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// container is a process in cgroups and a PID namespace of its own, as a runtime makes them.
type container struct {
	id  string
	pid int // of its process 1
}

func startContainer(t *testing.T, command ...string) container {
	t.Helper()
	return startContainerUntil(t, command[0], command...)
}

// startContainerUntil is for a command that executes the given program after some preparation.
func startContainerUntil(t *testing.T, program string, command ...string) container {
	t.Helper()
	raw := make([]byte, 32)
	rand.Read(raw)
	c := container{id: hex.EncodeToString(raw)}
	var procs []string
	for _, dir := range cgroupMounts(t) {
		dir = filepath.Join(dir, c.id)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // runs when the process is gone; the kernel takes a moment to notice
			eventually(t, "cgroup "+dir+" to be empty", func() error { return os.Remove(dir) })
		})
		procs = append(procs, filepath.Join(dir, "cgroup.procs"))
	}
	script := `for f in ` + strings.Join(procs, " ") + `; do echo $$ > $f || exit; done; exec unshare --pid --mount-proc --fork --kill-child "$@"`
	cmd := exec.Command("sh", append([]string{"-c", script, "sh"}, command...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	children := fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid)
	eventually(t, "the target to start", func() error {
		list, err := os.ReadFile(children)
		if err != nil {
			return err
		}
		if _, err = fmt.Sscan(string(list), &c.pid); err != nil {
			return err
		}
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", c.pid))
		if err == nil && exe != program {
			err = fmt.Errorf("it runs %s yet", exe)
		}
		return err
	})
	return c
}

// cgroupMounts returns the hierarchies that identify a container: that of v2, and that of memory of v1.
func cgroupMounts(t *testing.T) []string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if f[2] == "cgroup2" || f[2] == "cgroup" && strings.HasSuffix(f[1], "/memory") {
			dirs = append(dirs, f[1])
		}
	}
	if len(dirs) == 0 {
		t.Fatal("no cgroup file system is mounted")
	}
	return dirs
}

// serving is a profiler that listens.
type serving struct {
	socket string
	pid    int
	ended  <-chan error
}

// connect returns a client of the profiler.
func (s serving) connect(t *testing.T) *client.Client {
	c := client.New(func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket)
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// startProfiler runs `profiler serve` until the test's end.
func startProfiler(t *testing.T, containerID string, args ...string) serving {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "socket")
	args = append([]string{"serve", "--container-id", containerID, "--socket", socket,
		"--deadline", time.Now().Add(5 * time.Minute).Format(time.RFC3339)}, args...)
	cmd := exec.Command(program(t, "cmd/profiler"), args...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, err := bufio.NewReader(out).ReadString('\n')
	if ready != "kubectl-pprof profiler ready\n" {
		t.Errorf("the profiler said %q (%v)", ready, err)
	}
	end := make(chan error, 1)
	go func() {
		io.Copy(os.Stderr, out)
		end <- cmd.Wait()
		close(end)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-end
	})
	return serving{socket, cmd.Process.Pid, end}
}

// eventually polls until try succeeds. It is patient because the machine may be busy.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	const limit = time.Minute
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s: %v", limit, what, err)
		}
	}
}

// ends waits for the profiler's end: less than any capture or idle time that the tests ask for.
func (s serving) ends(t *testing.T) {
	t.Helper()
	const limit = 2 * time.Minute // the machine may be busy
	select {
	case err := <-s.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(limit):
		t.Errorf("the profiler still runs after %v", limit)
	}
}
