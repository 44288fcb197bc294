//go:build linux

package capture_test

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/pprof/profile"

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
			// A program or library that is new is known only after its first samples: on a busy machine, after many of them. Then
			// nearly all are right.
			phase := 0 // 0 before the change, 1 after it
			chain := func() string { return c.chains[min(phase, len(c.chains)-1)] }
			mostly := nearlyAll(50, 0.95, func(slice *profile.Profile) int64 { return samplesAt(slice, chain()) })
			p := sampleUntil(t, s, capture.Options{Frequency: 499}, func(slice *profile.Profile) bool {
				if !mostly(slice) {
					return false
				}
				if phase == 0 && !c.early {
					c.change(t, program, s)
				}
				phase++
				return phase == 2
			})
			all, right := total(p), samplesAt(p, chain())
			if phase < 2 || len(c.chains) == 1 && float64(right) < 0.95*float64(all) {
				for _, sample := range p.Sample[:min(10, len(p.Sample))] {
					t.Logf("%d times %s", sample.Value[0], names(sample))
				}
				t.Errorf("of %d samples %d have the frames %s; %q", all, right, chain(), p.Comments)
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
