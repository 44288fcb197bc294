//go:build linux

package capture_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
)

// target is a program that runs in its own container cgroup and is controlled through its pipes.
type target struct {
	id     string // ID of its container
	cgroup string // directory of the cgroup
	pid    int
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

// launch starts a program, and does not wait for it to be executed.
func launch(t testing.TB, program string, args ...string) *target {
	t.Helper()
	s := &target{id: fmt.Sprintf("%064x", time.Now().UnixNano())}
	s.cgroup = capture.NewCgroup(t, s.id)
	cmd := exec.Command("/bin/sh", append([]string{"-c", `echo $$ > "$0" && exec "$@"`, s.cgroup + "/cgroup.procs", program}, args...)...)
	cmd.Stderr = os.Stderr
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
	s.pid, s.stdin, s.stdout = cmd.Process.Pid, stdin, bufio.NewReader(stdout)
	return s
}

// startWithPipes starts a program.
func startWithPipes(t testing.TB, program string, args ...string) *target {
	t.Helper()
	s := launch(t, program, args...)
	exe := fmt.Sprintf("/proc/%d/exe", s.pid)
	capture.WaitFor(t, program+" to start", func() bool {
		path, _ := os.Readlink(exe)
		return filepath.Base(path) == filepath.Base(program)
	})
	return s
}

// start starts a program and waits until it prints that it is ready.
func start(t testing.TB, program string, args ...string) *target {
	t.Helper()
	s := launch(t, program, args...)
	s.expect(t, "ready")
	return s
}

// kill kills the program and waits until it has ended.
func (s *target) kill(t testing.TB) {
	t.Helper()
	syscall.Kill(s.pid, syscall.SIGKILL)
	capture.WaitFor(t, "the program to end", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
		threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.pid)) // the first one may end before the others
		return err != nil || strings.Contains(string(stat), ") Z ") && len(threads) <= 1
	})
}

// expect reads a line of the program's output.
func (s *target) expect(t testing.TB, want string) {
	t.Helper()
	if line, err := s.stdout.ReadString('\n'); strings.TrimSpace(line) != want {
		t.Fatalf("the program printed %q (%v), want %q", line, err, want)
	}
}

// ask makes the program write its own profile with the given name, and returns it.
func (s *target) ask(t testing.TB, name string) *profile.Profile {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	fmt.Fprintln(s.stdin, name, path)
	s.expect(t, "<nil>")
	return readProfile(t, path)
}

// own returns the program's own profile of its goroutines.
func (s *target) own(t testing.TB) *profile.Profile {
	t.Helper()
	return readProfile(t, s.writeOwn(t))
}

// writeOwn makes the program write its own profile of its goroutines, and returns the path.
func (s *target) writeOwn(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "own")
	fmt.Fprintln(s.stdin, path)
	s.expect(t, "written <nil>")
	return path
}

func readProfile(t testing.TB, path string) *profile.Profile {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
