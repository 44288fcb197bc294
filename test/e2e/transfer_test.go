package e2e

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/pprof/profile"
)

// Each way back brings the whole profile, from an ephemeral container and from a Job, to a user who may use no other.
func TestEachTransfer(t *testing.T) {
	for _, transfer := range []string{"exec", "attach", "logs"} {
		t.Run(transfer, func(t *testing.T) {
			for _, mode := range []string{"ephemeral", "job"} {
				t.Run(mode, func(t *testing.T) {
					ns := namespace(t, "")
					start(t, podOf(ns, "web", shop()))
					p, _ := profileOf(t, "--"+mode, "--transfer", transfer, "-n", ns, "web", "-d", "2s")
					expectFunctions(t, p, []string{"main.priceCart"}, nil)
				})
			}
		})
	}
}

// throughProxy profiles a pod through a proxy, and expects the whole profile.
func throughProxy(t *testing.T, p *proxy, ns string, args ...string) run {
	t.Helper()
	got, r := profileOf(t, append([]string{"--kubeconfig", p.kubeconfig, "-n", ns, "web"}, args...)...)
	expectFunctions(t, got, []string{"main.priceCart"}, nil)
	expectWhole(t, got)
	return r
}

// expectWhole checks that the samples are those that the profiler counted.
func expectWhole(t *testing.T, p *profile.Profile) {
	t.Helper()
	var sum int64
	for _, s := range p.Sample {
		sum += s.Value[0]
	}
	expectComment(t, p, fmt.Sprintf("samples: %d", sum))
	for _, c := range p.Comments {
		if strings.HasPrefix(c, "partial") {
			t.Errorf("the profile is %s", c)
		}
	}
}

// However often and wherever its streams are cut, a profile arrives whole.
func TestCuts(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	for _, tc := range []struct {
		transfer        string
		cuts, profilers int64
	}{{"exec", 1000, 16}, {"attach", 200, 8}} {
		t.Run(tc.transfer, func(t *testing.T) {
			var cuts, seed atomic.Int64
			t.Run("", func(t *testing.T) {
				for range tc.profilers {
					t.Run("", func(t *testing.T) {
						t.Parallel()
						for cuts.Load() < tc.cuts && !t.Failed() {
							p := startProxy(t)
							p.fault = randomly(uint64(seed.Add(1)), math.MaxInt, cut)
							r := throughProxy(t, p, ns, "--ephemeral", "--transfer", tc.transfer, "-d", "20s", "--frequency", "999", "--by", "thread")
							t.Logf("%d cuts, whole after %v", p.faults.Load(), r.took)
							cuts.Add(p.faults.Load())
						}
					})
				}
			})
			t.Logf("%d cuts in %d profiles", cuts.Load(), seed.Load())
		})
	}
}
