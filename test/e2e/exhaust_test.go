//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// maxProfilerMemory is what `make bench` allows the profiler for honest programs, in bytes, with
// the pages of its own file.
const maxProfilerMemory = 80e6

// A container that tries to exhaust its profiler costs no more memory and time than any other: what
// would cost more is left out, and the profile says so.
func TestHostilePodDoesNotExhaustTheProfiler(t *testing.T) {
	for _, c := range []struct {
		behaviour, typ string
		leftOut        string // a regular expression that a comment of the profile, or the error, must match
	}{
		{"library", "cpu", ``},  // nothing is left out
		{"segments", "cpu", ``}, // likewise
		{"fdes", "cpu", `without room for their unwind tables: [1-9]`},
		{"symbol", "cpu", `too slow to demangle.*: [1-9]`},
		{"symtabs", "cpu", ``}, // one table of a kind is enough
		{"perfmap", "cpu", `not read to the end.*perf maps 1`},
		{"mappings", "cpu", `more mappings than are read: [1-9]`},
		{"threads", "offcpu", ``}, // a fast machine reads them all
		{"buckets", "heap", `runtime\.mbuckets has more than \d+ stacks`},
	} {
		t.Run(c.behaviour, func(t *testing.T) {
			ns := namespace(t, "")
			target := container("hostile", "/hostile", c.behaviour)
			target.SecurityContext = &corev1.SecurityContext{RunAsUser: new(int64(0))}
			if c.behaviour != "threads" { // their stacks in the kernel have 500 MB
				target.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: quantity("384Mi")} // for the profiler too
			}
			pod := start(t, podOf(ns, "hostile", target))
			stop := watchProfiler(t, pod)
			const duration = 5 * time.Second
			file := filepath.Join(t.TempDir(), "profile.pb.gz")
			args := []string{"-n", ns, "--ephemeral", "hostile", "--type", c.typ, "-o", file}
			if c.typ != "heap" { // which is read at once
				args = append(args, "-d", duration.String())
			}
			r := plugin(t, args...)
			used, waited := stop()
			pod = getPod(t, ns, "hostile")
			took := profilerRan(t, pod)
			t.Logf("the profiler ran for %v, its threads waited %v for a CPU, peak memory %.1f MB", took, waited, used/1e6)
			if used > maxProfilerMemory {
				t.Errorf("the profiler used %.1f MB, more than %.1f MB", used/1e6, maxProfilerMemory/1e6)
			}
			if limit := duration + 10*time.Second + slack + waited; took > limit {
				t.Errorf("the profiler ran for %v, longer than %v", took, limit)
			}
			switch {
			case c.typ == "heap":
				expectLeftOut(t, c.leftOut, r.stderr)
			case r.code != 0:
				t.Error(r)
			case c.leftOut != "":
				expectLeftOut(t, c.leftOut, readProfile(t, file).Comments...)
			}
			if s := pod.Status.ContainerStatuses[0]; s.RestartCount != 0 || s.State.Running == nil {
				t.Errorf("the target was disturbed: %+v", s)
			}
		})
	}
}

// slack is the time that a profiler may run beside the profile: starting the container and
// transferring the profile count, and the kubelet's times are whole seconds.
const slack = 10 * time.Second

// watchProfiler reads the peak memory of the pod's profilers, in bytes, and how long their threads have
// waited for a CPU, until the function that it returns is called. That returns the highest of each.
func watchProfiler(t *testing.T, pod *corev1.Pod) (stop func() (peak float64, waited time.Duration)) {
	t.Helper()
	if !onThisMachine {
		t.Log("the node is another machine: the profiler's memory is not measured")
		return func() (float64, time.Duration) { return 0, 0 }
	}
	ids := containerIDs([]corev1.Pod{*pod})
	ctx, cancel := context.WithCancel(t.Context())
	var peak float64
	var waited time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			for _, p := range profilerProcesses(ids) {
				var pid int
				if _, err := fmt.Sscanf(p, "process %d:", &pid); err == nil {
					peak, waited = max(peak, peakMemory(pid)), max(waited, timeWaitedForCPU(pid))
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() (float64, time.Duration) {
		cancel()
		<-done
		if peak == 0 {
			t.Error("no profiler was seen on the node")
		}
		return peak, waited
	}
}

// timeWaitedForCPU returns for how long the threads of a process together were ready to run and had no
// CPU (the second number of schedstat; Documentation/scheduler/sched-stats.rst).
func timeWaitedForCPU(pid int) (sum time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		var ran, waited int64
		if _, err := fmt.Sscan(string(text), &ran, &waited); err == nil {
			sum += time.Duration(waited)
		}
	}
	return sum
}

// peakMemory returns the peak of a process's resident memory in bytes, or 0 if it has ended.
func peakMemory(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "\nVmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseFloat(fields[0], 64)
	return kib * 1024
}

// profilerRan returns for how long the pod's profiler ran, in whole seconds, by the kubelet's clock.
func profilerRan(t *testing.T, pod *corev1.Pod) time.Duration {
	t.Helper()
	var ended *corev1.ContainerStateTerminated
	eventually(t, time.Minute, "the profiler to end", func() (bool, string) {
		p := getPod(t, pod.Namespace, pod.Name)
		for _, s := range p.Status.EphemeralContainerStatuses {
			ended = s.State.Terminated
		}
		return ended != nil, fmt.Sprintf("%+v", p.Status.EphemeralContainerStatuses)
	})
	if ended.Reason == "OOMKilled" {
		t.Error("the profiler was killed because it used too much memory")
	}
	return ended.FinishedAt.Sub(ended.StartedAt.Time)
}

func expectLeftOut(t *testing.T, pattern string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if found := regexp.MustCompile(pattern).FindString(text); found != "" {
			t.Log(found)
			return
		}
	}
	t.Errorf("nothing says what was left out (%s):\n%s", pattern, strings.Join(texts, "\n"))
}
