//go:build linux

package capture_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// The worker threads of io_uring run no user code. Their stacks are those of the kernel, and complete.
func TestWorkersOfIOUring(t *testing.T) {
	need.Root(t)
	program := compileC(t, "testdata/iouring.c", "-O2")
	t.Run("cpu", func(t *testing.T) {
		p := profileOf(t, 499, 500*time.Millisecond, program, "work")
		if n, all := kernelStacks(t, p, "io_wq_worker,"), total(p); n < all/2 {
			t.Errorf("the workers have %d of %d samples", n, all)
		}
	})
	t.Run("offcpu", func(t *testing.T) {
		s := startWithPipes(t, program, "wait")
		capture.WaitFor(t, "the worker to wait before the capture begins", func() bool {
			files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.pid))
			for _, f := range files {
				if stat, _ := os.ReadFile(f); strings.Contains(string(stat), "(iou-wrk-") && strings.Contains(string(stat), ") S ") {
					return true
				}
			}
			return false
		})
		p := profileDuring(t, s, sampling.NewOffCPU, capture.Options{ByThread: true}, time.Second, nil)
		if kernelStacks(t, p, "io_wq_worker,") == 0 {
			logSamples(t, p)
			t.Error("the wait of the worker is not in the profile")
		}
	})
}

// kernelStacks returns the number of samples with a frame, whose stacks must have no frames outside the kernel.
func kernelStacks(t *testing.T, p *profile.Profile, frame string) (n int64) {
	t.Helper()
	for _, s := range p.Sample {
		stack := names(s)
		if !strings.Contains(stack, frame) {
			continue
		}
		n += s.Value[0]
		for _, l := range s.Location {
			if l.Mapping == nil || l.Mapping.File != process.KernelMapping {
				t.Errorf("%d samples of a worker have frames that are not the kernel's: %s", s.Value[0], stack)
				break
			}
		}
	}
	return n
}
