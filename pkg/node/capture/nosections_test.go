//go:build linux

package capture_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/objecttest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Programs without section headers are unwound completely. Their own functions have no names, unless they are Go's.
func TestProgramsWithoutSectionHeaders(t *testing.T) {
	need.Root(t)
	for name, c := range map[string]struct {
		flags []string
		chain string // a regular expression of the stack, leaf first
	}{
		"static C": {[]string{"-O2", "-fomit-frame-pointer", "-pthread", "-static"}, `(\[native\+0x[0-9a-f]+\],){10,}$`},
		"C":        {[]string{"-O2", "-fomit-frame-pointer", "-pthread", "-rdynamic"}, `(\[native\+0x[0-9a-f]+\],){7}main,__libc_start_call_main,`},
	} {
		t.Run(name, func(t *testing.T) {
			program := removeSections(t, compileC(t, "testdata/native.c", append(c.flags, "-Wno-unused-result")...))
			p := profileOf(t, 499, 400*time.Millisecond, program, "deep")
			expectComplete(t, p)
			want := regexp.MustCompile(c.chain)
			total, right := int64(0), int64(0)
			for _, s := range p.Sample {
				total += s.Value[0]
				if want.MatchString(names(s)) {
					right += s.Value[0]
				} else {
					t.Logf("%d times %s", s.Value[0], names(s))
				}
			}
			if float64(right) < 0.9*float64(total) {
				t.Errorf("%d of %d stacks match %s", right, total, want)
			}
		})
	}
	for _, flags := range []string{"-ldflags=-s", "-buildmode=pie"} {
		t.Run("Go, "+flags, func(t *testing.T) {
			program := removeSections(t, buildGo(t, "local", flags, "goprofiles"))
			s := start(t, program, "quiet")
			got, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, got, s.ask(t, "heap"), 0)
			expectAt(t, goroutines(t, capture.Options{ContainerID: s.id}), ",main.main,runtime.main,")
		})
	}
	t.Run("Go with C", func(t *testing.T) {
		p := profileOf(t, 499, 400*time.Millisecond, removeSections(t, buildGo(t, "local", "-buildmode=pie", "cgostacks")))
		expectComplete(t, p)
		expectAt(t, p, "runtime.asmcgocall,runtime.cgocall,main._Cfunc_c_call_back,main.viaCallback,main.main,runtime.main,")
	})
}

// removeSections removes the section headers of a program and returns its path.
func removeSections(t *testing.T, program string) string {
	t.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, objecttest.RemoveSections(data), 0o755); err != nil {
		t.Fatal(err)
	}
	return program
}
