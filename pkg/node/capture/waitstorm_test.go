//go:build linux

package capture_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// The waits of 200 short processes per second and of their parent are recorded.
func TestOffCPUOfForkStorm(t *testing.T) {
	need.Root(t)
	s := startWithPipes(t, compileC(t, "testdata/storm.c", "-O2", "-g", "-fno-optimize-sibling-calls"), "600", "200", "500000")
	s.waitForThreads(t, "storm")
	var ran time.Duration // of the parent
	p := profileDuring(t, s, sampling.NewOffCPU, capture.Options{ByThread: true}, time.Second, func() {
		before := capturetest.CPUTime(t, s.pid)
		runStorm(t, s)
		ran = capturetest.CPUTime(t, s.pid) - before
	})
	whole := time.Duration(p.DurationNanos).Seconds()
	var parent, children float64
	pids := map[int64]bool{}
	for _, sample := range p.Sample {
		seconds, pid := float64(sample.Value[1])/1e9, sample.NumLabel["pid"][0]
		if pid == int64(s.pid) {
			parent += seconds
		} else {
			children += seconds
			pids[pid] = true
		}
	}
	t.Logf("parent waits %.3f s of %.3f, %d children %.3f s; %q", parent, whole, len(pids), children, p.Comments)
	if math.Abs(parent+ran.Seconds()-whole) > 0.05*whole {
		t.Errorf("the parent waits %.3f s of %.3f and runs for %v", parent, whole, ran)
	}
	if len(pids) < 590 || children == 0 {
		t.Errorf("%d children wait %.3f s, want some 600", len(pids), children)
	}
	if text := strings.Join(p.Comments, "\n"); !strings.Contains(text, "lost waits: 0, of 0s") {
		t.Errorf("comments %q", p.Comments)
	}
}
