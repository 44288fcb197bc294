//go:build linux

package capture_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
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
