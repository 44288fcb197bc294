//go:build linux

// Programs for 386 run on amd64 only.

package capture_test

import (
	"errors"
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

// 32-bit programs are not unwound: a stack has only the function that runs, and a comment says why.
func TestPrograms32Bit(t *testing.T) {
	need.Root(t)
	for name, c := range map[string]struct{ program, leaf string }{
		"Go":           {buildGo386(t), "main.leaf"},
		"Go, stripped": {buildGo386(t, "-ldflags=-s -w"), "main.leaf"},
		"C":            {compileC(t, "testdata/narrow.c", "-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-O2", "-g"), "burn"},
	} {
		t.Run(name, func(t *testing.T) {
			p := profileOf(t, 199, 500*time.Millisecond, c.program)
			total, right := int64(0), int64(0)
			for _, s := range p.Sample {
				total += s.Value[0]
				if names(s) == c.leaf+",[broken stack]," && s.Location[0].Line[0].Line > 0 {
					right += s.Value[0]
				}
			}
			if total < 30 || float64(right) < 0.9*float64(total) {
				t.Errorf("of %d samples %d are %s and [broken stack]", total, right, c.leaf)
			}
			if comments := strings.Join(p.Comments, "\n"); !strings.Contains(comments, "32-bit programs are not unwound: ") {
				t.Errorf("the comments do not say why: %s", comments)
			}
		})
	}
}

// Memory of 32-bit Go programs is not read, and the error says which programs are.
func TestHeap32Bit(t *testing.T) {
	need.Root(t)
	s := startWithPipes(t, buildGo386(t))
	_, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute)
	if !errors.Is(err, profiles.ErrNoGo) || !strings.Contains(err.Error(), "it is built for 386, and only programs for amd64 and arm64 can be read") {
		t.Errorf("got %v", err)
	}
}

func buildGo386(t *testing.T, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "narrow")
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), "./testdata/narrow")...)
	cmd.Env = append(os.Environ(), "GOARCH=386", "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}
