//go:build linux

package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// startLongProfile starts a profile that is longer than the tests wait for its end, and returns when some samples have been
// taken.
func startLongProfile(t *testing.T, ns, mode string) *profiling {
	t.Helper()
	return startProfiling(t, 3*time.Second, mode, "-n", ns, "web", "-d", "4m")
}

// Ctrl-C ends the profile early and keeps what was sampled.
func TestInterrupt(t *testing.T) {
	for _, mode := range []string{"--ephemeral", "--job"} {
		t.Run(mode, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, podOf(ns, "web", shop()))
			profiling := startLongProfile(t, ns, mode)
			profiling.signal(t, os.Interrupt)
			r := profiling.wait(t)
			if r.took > 2*time.Minute {
				t.Errorf("took %v to end after Ctrl-C: %v", r.took, r)
			}
			expectTexts(t, r)
			p := readProfile(t, profiling.file)
			expectFunctions(t, p, []string{"main.priceCart"}, nil)
			if d := time.Duration(p.DurationNanos); d > 2*time.Minute {
				t.Errorf("the profile says it lasted %v", d)
			}
		})
	}
}

// A second Ctrl-C quits at once. The profiler ends nevertheless.
func TestInterruptTwice(t *testing.T) {
	for _, mode := range []string{"--ephemeral", "--job"} {
		t.Run(mode, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, podOf(ns, "web", shop()))
			profiling := startLongProfile(t, ns, mode)
			profiling.signal(t, os.Interrupt)
			profiling.signal(t, os.Interrupt) // the kernel may merge it with the first
			time.AfterFunc(100*time.Millisecond, func() { profiling.cmd.Process.Signal(os.Interrupt) })
			if r := profiling.wait(t); r.took > 2*time.Minute {
				t.Errorf("took %v to quit: %v", r.took, r)
			}
		})
	}
}

// After a SIGKILL of the plugin the profiler ends by itself.
func TestPluginKilled(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	profiling := startLongProfile(t, ns, "--ephemeral")
	profiling.signal(t, syscall.SIGKILL)
	profiling.wait(t)
	waitUntilGone(t, ns, 2*time.Minute, "", "the profiler to end by itself")
}

// After a SIGKILL of the plugin the Job's profiler ends by itself, and Kubernetes deletes the Job.
func TestPluginKilledInJobMode(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	profiling := startLongProfile(t, ns, "--job")
	profiling.signal(t, syscall.SIGKILL)
	profiling.wait(t)
	waitUntilGone(t, ns, 2*time.Minute, "process ", "the profiler's process to end by itself")
	waitUntilGone(t, ns, 3*time.Minute, "", "the Job to be deleted by its time to live")
}

// A kubelet may start an ephemeral container hours late. A profiler that is past its deadline exits
// at once.
func TestStartedAfterItsDeadline(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	r := succeed(t, "--ephemeral", "--dry-run", "-n", ns, "web", "-d", "1s")
	var ec corev1.EphemeralContainer
	if err := yaml.UnmarshalStrict([]byte(r.stdout), &ec); err != nil {
		t.Fatalf("%v: %v", err, r)
	}
	late := false
	for i, a := range append(ec.Command, ec.Args...) {
		if i > 0 && strings.HasPrefix(a, "--deadline") {
			late = true
		}
	}
	if !late {
		t.Fatalf("no deadline in %v", ec.Args)
	}
	past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for i, a := range ec.Args {
		if strings.HasPrefix(a, "--deadline=") {
			ec.Args[i] = "--deadline=" + past
		}
		if i > 0 && ec.Args[i-1] == "--deadline" {
			ec.Args[i] = past
		}
	}
	pod := getPod(t, ns, "web")
	pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, ec)
	if _, err := client.CoreV1().Pods(ns).UpdateEphemeralContainers(t.Context(), "web", pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "the late profiler to exit", func() (bool, string) {
		p, err := client.CoreV1().Pods(ns).Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		for _, c := range p.Status.EphemeralContainerStatuses {
			if e := c.State.Terminated; e != nil && e.ExitCode != 0 && strings.Contains(e.Message, "deadline") {
				return true, ""
			}
		}
		return false, fmt.Sprintf("%+v", p.Status.EphemeralContainerStatuses)
	})
}

// With --keep the second profile from the same machine uses the first one's profiler.
func TestKeepIsReused(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	succeed(t, "--ephemeral", "--keep", "5m", "-n", ns, "web", "-d", "2s")
	first := getPod(t, ns, "web").Spec.EphemeralContainers
	p, r := profileOf(t, "--ephemeral", "-n", ns, "web", "-d", "2s")
	expectFunctions(t, p, []string{"main.priceCart"}, nil)
	second := getPod(t, ns, "web").Spec.EphemeralContainers
	if len(first) != 1 || len(second) != 1 {
		t.Errorf("%d ephemeral containers after the first profile, %d after the second, want 1 and 1: %v", len(first), len(second), r)
	}
	// Another machine does not know the profiler.
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	profileOf(t, "--ephemeral", "-n", ns, "web", "-d", "1s")
	if n := len(getPod(t, ns, "web").Spec.EphemeralContainers); n != 2 {
		t.Errorf("%d ephemeral containers after a profile from another machine, want 2", n)
	}
	deletePod(t, ns, "web") // ends the kept profiler
}

// With --keep the Job stays for the next profile, and --keep 0s deletes it.
func TestKeptJobIsReused(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	succeed(t, "--job", "--keep", "5m", "-n", ns, "web", "-d", "2s")
	jobs, err := client.BatchV1().Jobs(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) != 1 {
		t.Fatalf("%d Jobs, %v, want the kept one", len(jobs.Items), err)
	}
	r := succeed(t, "--keep", "0s", "-v", "-n", ns, "web", "-d", "2s") // without --job, too
	expectTexts(t, r, "using the kept profiler")
	waitUntilGone(t, ns, 2*time.Minute, "", "the Job")
}

// Without a directory in which to remember it, a profiler is not kept, and the profile succeeds.
func TestKeepWithoutHome(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/proc/none")
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	r := succeed(t, "--ephemeral", "--keep", "5m", "-n", ns, "web", "-d", "2s")
	expectTexts(t, r, "the profiler is not kept")
	waitUntilGone(t, ns, 2*time.Minute, "", "the profiler")
}

// A dry run creates nothing and prints clean YAML.
func TestDryRun(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	for _, mode := range []string{"--ephemeral", "--job"} {
		r := succeed(t, mode, "--dry-run", "-n", ns, "web")
		var object map[string]any
		if err := yaml.Unmarshal([]byte(r.stdout), &object); err != nil || len(object) == 0 {
			t.Errorf("%s: %v: %v", mode, err, r)
		}
	}
	if n := len(getPod(t, ns, "web").Spec.EphemeralContainers); n != 0 {
		t.Errorf("the dry run added %d ephemeral containers", n)
	}
}
