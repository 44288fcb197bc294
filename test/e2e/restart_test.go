//go:build linux

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	corev1 "k8s.io/api/core/v1"
)

// crasher returns a pod whose container "app" warms up for a second and crashes after 14. So there are
// some seconds for starting a second profiler before the next crash.
func crasher(ns string) *corev1.Pod {
	pod := podOf(ns, "web", container("app", "/spin", "-startup=1s", "-crash=14s"), container("sidecar", "/spin"))
	pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
	return pod
}

// With --wait-for-restart, profiling continues when the container restarts. Other containers are
// not profiled.
func TestWaitForRestart(t *testing.T) {
	for _, mode := range []string{"ephemeral", "job"} {
		t.Run(mode, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, crasher(ns))
			p, r := profileOf(t, "-n", ns, "--"+mode, "--wait-for-restart", "web", "-c", "app", "-d", "15s", "--frequency", "199")
			expectFunctions(t, p, []string{"main.turnWheel"}, nil)
			expectWhole(t, p)
			if d := time.Duration(p.DurationNanos); d < 4*time.Second {
				t.Errorf("the profile is of %v only: %v", d, r)
			}
			expectComment(t, p, "restart: ", `container "app" has ended with exit code 3`)
			// A Job's profiler also samples the container's first second, of which the
			// container gets only a part of the CPU time on a busy machine.
			if n := samplesIn(p, "main.main"); mode == "job" && n < 20 {
				t.Errorf("%d samples of the first second, of at most 199: %v", n, p)
			}
		})
	}
}

// Of several types, those that can continue after a restart do so. The others are marked as partial.
func TestWaitForRestartOfTypes(t *testing.T) {
	ns := namespace(t, "")
	start(t, crasher(ns))
	file := filepath.Join(t.TempDir(), "p.pb.gz")
	r := plugin(t, "-n", ns, "--job", "--wait-for-restart", "web", "-c", "app", "-d", "20s", "--type", "cpu,goroutine,wall", "-o", file)
	if r.code != 3 {
		t.Errorf("exit code %d, want 3: %v", r.code, r)
	}
	of := func(typ string) *profile.Profile {
		return readProfile(t, strings.TrimSuffix(file, ".pb.gz")+"-"+typ+".pb.gz")
	}
	expectWhole(t, of("cpu"))
	expectComment(t, of("cpu"), "restart: ", `container "app" has ended with exit code 3`)
	expectComment(t, of("wall"), "partial: ", `container "app" has ended with exit code 3`)
	expectWhole(t, of("goroutine"))
}

// samplesIn counts the samples that have a function in their stacks.
func samplesIn(p *profile.Profile, function string) (n int64) {
	for _, s := range p.Sample {
		for _, l := range s.Location {
			if len(l.Line) > 0 && strings.HasPrefix(l.Line[0].Function.Name, function) {
				n += s.Value[0]
				break
			}
		}
	}
	return n
}
