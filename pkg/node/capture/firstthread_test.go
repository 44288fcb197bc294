//go:build linux

package capture_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/wall"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A process whose first thread has ended is profiled as any other: its mappings, memory and files are
// read from another thread's directory in /proc.
func TestFirstThreadHasEnded(t *testing.T) {
	need.Root(t)
	t.Run("C", func(t *testing.T) {
		s := startWithoutFirstThread(t, compileC(t, "testdata/firstends.c", "-O2", "-fomit-frame-pointer", "-pthread"))
		o, works := capture.Options{Frequency: 199}, func() { <-capture.UntilUsed(t, s.pid, 200*time.Millisecond).Done() }
		expectAt(t, profileDuring(t, s, sampling.NewCPU, o, 0, works), "grind,worker,")
		expectAt(t, profileDuring(t, s, sampling.NewFaults, o, 0, works), "touch,worker,")
		waits := profileDuring(t, s, sampling.NewOffCPU, capture.Options{}, 0, works)
		expectAt(t, waits, ",usleep,nap,worker,")
		for _, one := range waits.Sample {
			if strings.HasPrefix(names(one), "[no stack]") {
				t.Error("the thread that has ended counts as waiting")
			}
		}
	})
	t.Run("Go", func(t *testing.T) {
		s := startWithoutFirstThread(t, buildGo(t, "local", "'-ldflags=-s -w'", "firstends"))
		o := capture.Options{ContainerID: s.id, Frequency: 199}
		expectAt(t, sampleFor(t, s, 199, 200*time.Millisecond), "main.grind,main.worker,")
		expectAt(t, goroutines(t, o), "runtime.gopark,runtime.block,main.parked,")
		heap, err := runProfile(t, profiles.NewHeap, o, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		expectAt(t, heap, "main.keep,main.worker,")
		over, err := runProfile(t, wall.New, o, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		expectAt(t, over, "main.parked,")
	})
}

// startWithoutFirstThread starts a program and waits until its first thread has ended.
func startWithoutFirstThread(t *testing.T, program string) *target {
	t.Helper()
	s := start(t, program)
	capture.WaitFor(t, "the first thread to end", func() bool {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
		return strings.Contains(string(stat), ") Z ")
	})
	return s
}
