//go:build linux

package capture_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Code that a program has moved into anonymous memory is unwound and named as that of its file.
func TestCodeMovedToAnonymousMemory(t *testing.T) {
	need.Root(t)
	for name, c := range map[string]struct{ flag, what string }{
		"all, fixed addresses":           {"-no-pie", "all"},
		"all, position-independent":      {"-pie", "all"},
		"a part, position-independent":   {"-pie", "middle"},
		"all, one segment for all pages": {"-Wl,-z,noseparate-code", "all"},
	} {
		t.Run(name, func(t *testing.T) {
			program := compileC(t, "testdata/movedcode.c", "-O2", "-fomit-frame-pointer", "-fno-toplevel-reorder", c.flag)
			p := profileOf(t, 499, 400*time.Millisecond, program, c.what)
			expectComplete(t, p)
			expectMost(t, p, "leaf,caller,main,__libc_start_call_main,")
		})
	}
}

// A program that is executed from memory is profiled as one from a disk.
func TestProgramInMemory(t *testing.T) {
	need.Root(t)
	fromMemory := compileC(t, "testdata/memfd.c", "-O2")
	t.Run("C", func(t *testing.T) {
		for name, c := range map[string]struct{ flag, want string }{
			"with symbols": {"-g", "burn,link1,link2,link3,link4,link5,deep,main,__libc_start_call_main,"},
			"stripped":     {"-s", ",__libc_start_call_main,"},
		} {
			t.Run(name, func(t *testing.T) {
				program := compileC(t, "testdata/native.c", "-O2", "-fomit-frame-pointer", "-pthread", "-Wno-unused-result", c.flag)
				p := sampleFor(t, startInMemory(t, fromMemory, program, "deep"), 499, 400*time.Millisecond)
				expectComplete(t, p)
				expectMost(t, p, c.want)
				for _, s := range p.Sample {
					if name == "stripped" && !strings.Contains(names(s), "[memfd:app+0x") {
						t.Errorf("functions without names are not told apart: %s", names(s))
						break
					}
				}
			})
		}
	})
	t.Run("Go", func(t *testing.T) {
		s := startInMemory(t, fromMemory, buildGo(t, "local", "-ldflags=-s", "goprofiles"), "quiet")
		s.expect(t, "ready")
		got, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, got, s.ask(t, "heap"), 0)
		cmd := exec.Command("setpriv", "--bounding-set=-all,+sys_ptrace", "--inh-caps=-all", os.Args[0], s.id)
		cmd.Env = append(os.Environ(), "CAPTURE_TEST_TARGET=heap")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "<nil>") {
			t.Errorf("with CAP_SYS_PTRACE only: %v, %s", err, out)
		}
	})
}

// startInMemory starts a program from memory.
func startInMemory(t *testing.T, fromMemory, program string, args ...string) *target {
	t.Helper()
	// startWithPipes waits for a program of this name, which both have.
	named := filepath.Join(t.TempDir(), "memfd:app (deleted)")
	if err := os.Link(fromMemory, named); err != nil {
		t.Fatal(err)
	}
	s := startWithPipes(t, named, append([]string{program}, args...)...)
	capture.WaitFor(t, "the program to start", func() bool {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", s.pid))
		return exe == "/memfd:app (deleted)"
	})
	return s
}

// The perf map of a process in its own PID namespace and root directory is found there, by the PID that the
// process has in its namespace.
func TestPerfMapInOwnNamespaces(t *testing.T) {
	need.Root(t)
	root := t.TempDir()
	program := compileC(t, "testdata/jit.c", "-O2", "-static")
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(program, filepath.Join(root, "jit")); err != nil {
		t.Fatal(err)
	}
	s := startWithPipes(t, "/usr/bin/unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--root="+root, "/jit")
	list := filepath.Join(root, "tmp/perf-1.map")
	capture.WaitFor(t, "the perf map", func() bool {
		text, _ := os.ReadFile(list)
		return strings.Contains(string(text), "not a line")
	})
	child := 0 // of unshare: the process with the map
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.pid, s.pid))
	if _, scanErr := fmt.Sscan(string(text), &child); err != nil || scanErr != nil {
		t.Fatalf("children of process %d: %q, %v", s.pid, text, err)
	}
	p := sample(t, s, 499, func() { <-capture.UntilUsed(t, child, 400*time.Millisecond).Done() })
	all, one, two := total(p), samplesAt(p, "LazyCompile:*busy /srv/app.js:1 (with blanks),"), samplesAt(p, "Upper;case::name<T, U>,")
	if all < 10 || one < all/3 || two < all/3 {
		t.Errorf("of %d samples %d and %d are in the two functions\n%v", all, one, two, p)
	}
}
