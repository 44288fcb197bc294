//go:build linux

package capture_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Programs that are executed and libraries that are loaded during the profile are symbolized. So is a program whose
// file is deleted or replaced while it runs, with the symbols of the running code.
func TestProgramsThatChange(t *testing.T) {
	need.Root(t)
	successor := compileC(t, "testdata/changes.c", "-O1", "-g", "-DSUCCESSOR")
	library := compileC(t, "testdata/changes.c", "-O1", "-g", "-DLIBRARY", "-shared", "-fPIC")
	cases := []struct {
		name, what, file string
		change           func(t *testing.T, program string, s *target) // during the profile
		early            bool                                          // the change happens before the profile starts
		chains           []string                                      // expected frames of samples, from leaf to root
	}{
		{"exec", "execute", successor, resume, false, []string{"before,main,", "after,main,"}},
		{"exec before the profile", "execute", successor, resume, true, []string{"after,main,"}},
		{"dlopen", "load", library, resume, false, []string{"before,main,", "in_library,main,"}},
		{"deleted", "wait", "", remove, true, []string{"before,main,"}},
		{"deleted during the profile", "wait", "", remove, false, []string{"before,main,"}},
		{"replaced", "wait", "", func(t *testing.T, program string, _ *target) { replace(t, program, successor) }, true, []string{"before,main,"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			program := compileC(t, "testdata/changes.c", "-O1", "-g", "-ldl")
			s := startWithPipes(t, program, c.what, c.file)
			if c.early {
				c.change(t, program, s)
				<-capture.UntilUsed(t, s.pid, 200*time.Millisecond).Done()
			}
			p := sample(t, s, 499, func() {
				<-capture.UntilUsed(t, s.pid, 800*time.Millisecond).Done()
				if !c.early {
					c.change(t, program, s)
				}
				<-capture.UntilUsed(t, s.pid, 800*time.Millisecond).Done()
			})
			found, total := map[string]int64{}, int64(0)
			for _, sample := range p.Sample {
				stack := names(sample)
				total += sample.Value[0]
				for _, chain := range c.chains {
					if strings.Contains(","+stack, ","+chain) {
						found[chain] += sample.Value[0]
					}
				}
			}
			sum := int64(0)
			for _, chain := range c.chains {
				sum += found[chain]
				if found[chain]*int64(len(c.chains))*3 < total {
					t.Errorf("%d of %d samples have the frames %s", found[chain], total, chain)
				}
			}
			if total < 100 || float64(sum) < 0.95*float64(total) {
				for _, sample := range p.Sample[:min(10, len(p.Sample))] {
					t.Logf("%d times %s", sample.Value[0], names(sample))
				}
				t.Errorf("of %d samples %d have the frames %q; %q", total, sum, c.chains, p.Comments)
			}
		})
	}
}

func resume(t *testing.T, _ string, s *target) {
	if _, err := io.WriteString(s.stdin, "x"); err != nil {
		t.Error(err)
	}
}

func remove(t *testing.T, program string, _ *target) {
	if err := os.Remove(program); err != nil {
		t.Error(err)
	}
}

// replace replaces the program at a path by renaming another file to it, as package managers do.
func replace(t *testing.T, program, by string) {
	data, err := os.ReadFile(by)
	if err != nil {
		t.Fatal(err)
	}
	fresh := program + ".new"
	if err := os.WriteFile(fresh, data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, program); err != nil {
		t.Fatal(err)
	}
}

// target is a program that runs in its own container cgroup and is controlled through its pipes.
type target struct {
	id     string // ID of its container
	pid    int
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

func startWithPipes(t *testing.T, program string, args ...string) *target {
	t.Helper()
	s := &target{id: fmt.Sprintf("%064x", time.Now().UnixNano())}
	cmd := exec.Command("/bin/sh", append([]string{"-c", `echo $$ > "$0" && exec "$@"`, newCgroup(t, s.id) + "/cgroup.procs", program}, args...)...)
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
	exe := fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)
	capture.WaitFor(t, "the target to start", func() bool {
		path, _ := os.Readlink(exe)
		return filepath.Base(path) == filepath.Base(program)
	})
	return s
}

// sample profiles a target while it runs meanwhile, and returns the symbolized profile.
func sample(t *testing.T, s *target, hz int, meanwhile func()) *profile.Profile {
	t.Helper()
	c, err := sampling.NewCPU(capture.Options{ContainerID: s.id, Frequency: hz})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		meanwhile()
	}()
	r, err := c.Run(ctx)
	<-done
	if err != nil {
		t.Fatal(err)
	}
	if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
		t.Fatal(err)
	}
	return r.Profile
}
