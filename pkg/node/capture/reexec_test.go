//go:build linux

package capture_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
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
			o := capture.Options{Frequency: 99, ByThread: true}
			p := profileDuring(t, s, sampling.NewCPU, o, 2*time.Second, nil)
			count, total := map[string]int64{}, int64(0)
			for _, sample := range p.Sample {
				total += sample.Value[0]
				for _, function := range []string{"even_work", "odd_work", "[process exited]", "[unmapped]"} {
					if strings.Contains(names(sample), function) {
						count[label(sample, "thread")+" "+function] += sample.Value[0]
					}
				}
			}
			if wrong := count["even odd_work"] + count["odd even_work"]; wrong > 0 || count["even even_work"] == 0 || count["odd odd_work"] == 0 {
				t.Errorf("%d samples have a function of the other program: %v", wrong, count)
			}
			// On a busy machine more mappings are read too late.
			if lost := count["even [process exited]"] + count["odd [process exited]"]; lost > total/2 {
				t.Errorf("%d of %d samples are of programs that are not known: %v", lost, total, count)
			}
		})
	}
}
