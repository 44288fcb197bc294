//go:build linux

package capture_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Page faults are counted at the stacks that touch memory, one per page. The test covers few faults and more faults
// than can be sampled individually.
func TestFaults(t *testing.T) {
	need.Root(t)
	s := startWithPipes(t, compileC(t, "testdata/faults.c", "-O2", "-fomit-frame-pointer", "-g", "-pthread", "-fno-optimize-sibling-calls"))
	touch := func(pages int) {
		fmt.Fprintln(s.stdin, pages)
		if _, err := s.stdout.ReadString('\n'); err != nil {
			t.Error(err)
		}
	}
	touch(1000) // faults in the threads' stacks and the code
	for _, pages := range []int{100, 20000} {
		t.Run(fmt.Sprint(pages), func(t *testing.T) {
			p := profileDuring(t, s, sampling.NewFaults, capture.Options{Frequency: 99}, time.Second, func() { touch(pages) })
			var all, bytes, one, three, main, thread float64
			for _, s := range p.Sample {
				n, stack := float64(s.Value[0]), names(s)
				all += n
				bytes += float64(s.Value[1])
				switch {
				case strings.HasPrefix(stack, "touch,touch_one,fresh,grow,"):
					one += n
				case strings.HasPrefix(stack, "touch,touch_three,fresh,grow,"):
					three += n
				default:
					t.Logf("%v faults in %s", n, stack)
				}
				switch {
				case strings.Contains(stack, ",grow,main,"):
					main += n
				case strings.Contains(stack, ",grow,start_thread,"):
					thread += n
				}
			}
			t.Logf("%v faults: %v and %v by path, %v and %v by thread; %q", all, one, three, main, thread, p.Comments)
			// An event counts 8 faults of any task, and only some of many events become samples.
			weight := max(8, all/samplesOf(t, p))
			near := func(what string, got, want float64) {
				if tolerance := 0.05*want + 4*weight*math.Sqrt(want/weight); math.Abs(got-want) > tolerance {
					t.Errorf("%v %s, want %v, give or take %.0f", got, what, want, tolerance)
				}
			}
			near("faults", all, float64(8*pages))
			near("faults by one path", one, float64(2*pages))
			near("faults by the other path", three, float64(6*pages))
			near("faults of the first thread", main, float64(4*pages))
			near("faults of the other thread", thread, float64(4*pages))
			if bytes != 4096*all {
				t.Errorf("%v bytes for %v faults", bytes, all)
			}
		})
	}
}

// samplesOf returns the number of samples that a profile was made of, from its comments.
func samplesOf(t *testing.T, p *profile.Profile) float64 {
	t.Helper()
	for _, c := range p.Comments {
		var n int
		if _, err := fmt.Sscanf(c, "samples: %d", &n); err == nil && n > 0 {
			return float64(n)
		}
	}
	t.Fatalf("no number of samples in %q", p.Comments)
	return 0
}
