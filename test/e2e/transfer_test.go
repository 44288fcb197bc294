//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Each transfer returns the complete profile, from an ephemeral container and from a Job, to a user
// who may use no other transfer.
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

// throughProxy profiles a pod through a proxy and checks that the profile is complete.
func throughProxy(t *testing.T, p *proxy, ns string, args ...string) run {
	t.Helper()
	got, r := profileOf(t, append([]string{"--kubeconfig", p.kubeconfig, "-n", ns, "web"}, args...)...)
	expectFunctions(t, got, []string{"main.walk"}, nil)
	expectWhole(t, got)
	return r
}

// expectWhole checks that a profile has as many samples as the profiler counted and is not marked
// as partial.
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

// startMaze starts a target with large profiles. Profilers yield to it, so it must not use all CPU
// time of the node.
func startMaze(t *testing.T, ns string) {
	t.Helper()
	web := podOf(ns, "web", container("maze", "/maze"))
	web.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")}
	start(t, web)
}

// execCuts and attachCuts are the least numbers of cuts in TestCuts. Each cut costs the cluster a
// second of CPU time, so `make cuts` sets them to 1,000 and 200.
var (
	execCuts   = flag.Int64("exec-cuts", 50, "cuts of exec streams in TestCuts")
	attachCuts = flag.Int64("attach-cuts", 25, "cuts of attach streams in TestCuts")
)

// A profile arrives complete however often and wherever its streams are cut.
func TestCuts(t *testing.T) {
	ns := namespace(t, "")
	startMaze(t, ns)
	for transfer, wanted := range map[string]int64{"exec": *execCuts, "attach": *attachCuts} {
		t.Run(transfer, func(t *testing.T) {
			var cuts, seed atomic.Int64
			t.Run("", func(t *testing.T) {
				for range 4 {
					t.Run("", func(t *testing.T) {
						t.Parallel()
						for cuts.Load() < wanted && !t.Failed() {
							p := startProxy(t)
							p.fault = randomly(uint64(seed.Add(1)), math.MaxInt, cut)
							r := throughProxy(t, p, ns, "--ephemeral", "--transfer", transfer, "-d", "10s", "--frequency", "999")
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

// A profile arrives complete in spite of other faults of proxies, load balancers and sleeping laptops.
func TestBadConnections(t *testing.T) {
	ns := namespace(t, "")
	startMaze(t, ns)
	always := func(f fault) func(*http.Request) *fault { return func(*http.Request) *fault { return &f } }
	sum := func(a, b func(*http.Request) bool) func(*http.Request) bool {
		return func(r *http.Request) bool { return a(r) || b(r) }
	}
	var three atomic.Int64
	t.Run("", func(t *testing.T) { // returns when all parallel subtests have ended
		for name, tc := range map[string]struct {
			refuse func(*http.Request) bool
			fault  func(*http.Request) *fault
			texts  []string // on stderr
		}{
			"bits are changed":                          {fault: randomly(1, 40, corrupt)},
			"streams stand still without a word":        {fault: randomly(2, 4, stall)},
			"attached streams stand still":              {refuse: isFor("exec"), fault: randomly(3, 3, stall)},
			"streams are slow":                          {fault: always(fault{action: none, pause: 100 * time.Millisecond})},
			"no WebSockets":                             {refuse: isWebSocket},
			"no SPDY":                                   {refuse: func(r *http.Request) bool { return !isWebSocket(r) }},
			"WebSockets that break after the handshake": {fault: func(r *http.Request) *fault { return on(isWebSocket(r), fault{after: 100}) }},
			"no exec":                                   {refuse: isFor("exec")},
			"exec brings nothing":                       {fault: func(r *http.Request) *fault { return on(isFor("exec")(r), fault{}) }},
			"no streams":                                {refuse: sum(isFor("exec"), isFor("attach")), texts: []string{"no data arrives by exec or attach", "its log"}},
			"no SPDY, and WebSockets break": {
				refuse: func(r *http.Request) bool { return !isWebSocket(r) },
				fault:  func(*http.Request) *fault { return on(three.Add(1)%3 != 0, fault{after: 1000}) },
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := startProxy(t)
				if tc.refuse != nil {
					p.refuse = tc.refuse
				}
				if tc.fault != nil {
					p.fault = tc.fault
				}
				expectTexts(t, throughProxy(t, p, ns, "--ephemeral", "-d", "8s", "--frequency", "999"), tc.texts...)
				t.Logf("%d streams refused, %d faults", p.refused.Load(), p.faults.Load())
			})
		}
		t.Run("the laptop is asleep for a minute", func(t *testing.T) {
			t.Parallel()
			profiling := startProfiling(t, 2*time.Second, "-n", ns, "web", "--ephemeral", "-d", "10s")
			profiling.signal(t, syscall.SIGSTOP)
			time.Sleep(time.Minute)
			profiling.signal(t, syscall.SIGCONT)
			if r := profiling.wait(t); r.code != 0 {
				t.Fatal(r)
			}
			expectWhole(t, readProfile(t, profiling.file))
		})
	})
}

// on returns the fault if the condition holds.
func on(holds bool, f fault) *fault {
	if !holds {
		return nil
	}
	return &f
}
