//go:build linux

package capture_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A process that executes another program every 30 ms is shown with the functions of each, and with no function
// of one program that another has at the same address. The thread's name is that of the program it runs.
func TestProcessThatExecutesOthers(t *testing.T) {
	need.Root(t)
	for name, flags := range map[string][]string{
		"fixed addresses":  {"-O1", "-static", "-no-pie"},
		"random addresses": {"-O1", "-fPIE", "-pie"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			even, odd := filepath.Join(dir, "even"), filepath.Join(dir, "odd")
			for program, built := range map[string]string{
				even: compileC(t, "testdata/reexec.c", flags...), odd: compileC(t, "testdata/reexec.c", append(flags, "-DODD")...),
			} {
				if err := os.Rename(built, program); err != nil {
					t.Fatal(err)
				}
			}
			s := start(t, even, even, odd, "ready")
			var count map[string]int64
			evaluate := func(p *profile.Profile) (known int64) {
				count = map[string]int64{}
				for _, sample := range p.Sample {
					for _, function := range []string{"even_work", "odd_work", "[process exited]", "[unmapped]"} {
						if strings.Contains(names(sample), function) {
							count[label(sample, "thread")+" "+function] += sample.Value[0]
						}
					}
				}
				return count["even even_work"] + count["odd odd_work"]
			}
			// On a busy machine the mappings of many programs are read too late.
			known := false
			mostly := nearlyAll(100, 0.5, evaluate)
			p := sampleUntil(t, s, capture.Options{Frequency: 99, ByThread: true}, func(slice *profile.Profile) bool {
				known = mostly(slice)
				return known
			})
			evaluate(p)
			if wrong := count["even odd_work"] + count["odd even_work"]; wrong > 0 || count["even even_work"] == 0 || count["odd odd_work"] == 0 {
				t.Errorf("%d samples have a function of the other program: %v", wrong, count)
			}
			if !known {
				t.Errorf("most of %d samples are of programs that are not known: %v", total(p), count)
			}
		})
	}
}
