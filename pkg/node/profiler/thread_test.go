//go:build linux

package profiler

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Samples name their threads as the target's own namespace numbers them, whether the profiler is in that
// namespace, as with kubectl debug, or outside of it, as in a Job.
func TestByThread(t *testing.T) {
	need.Root(t)
	target := startContainer(t, program(t, "test/workloads/spin"), "-threads", "3")
	allThreads := func(p *profile.Profile) bool {
		seen := map[int64]bool{}
		for _, s := range p.Sample {
			for _, tid := range s.NumLabel["tid"] {
				seen[tid] = true
			}
		}
		return len(seen) >= 3
	}
	for name, take := range map[string]func(t *testing.T) *profile.Profile{
		"record, inside": func(t *testing.T) *profile.Profile {
			return recordEnough(t, allThreads, target, "--by", "thread")
		},
		"serve, outside": func(t *testing.T) (p *profile.Profile) {
			c := startProfiler(t, target.id).connect(t)
			for d := time.Second; d <= time.Minute; d *= 4 {
				var err error
				p, err = c.Profile(t.Context(), api.Request{
					Type: api.CPU, Capture: api.NewCaptureID(), Duration: d, Frequency: 99, By: api.ByThread,
				})
				if err != nil {
					t.Fatal(err)
				}
				if allThreads(p) {
					break
				}
			}
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := take(t)
			tids := map[int64]int64{}
			for _, s := range p.Sample {
				if got := s.Label["thread"]; len(got) != 1 || got[0] != "spin" {
					t.Fatalf("thread is %q, want spin", got)
				}
				if got := s.NumLabel["tid"]; len(got) != 1 {
					t.Fatalf("tid is %v", got)
				}
				tids[s.NumLabel["tid"][0]] += s.Value[0]
			}
			existing := threadsOf(t, target.pid)
			for tid := range tids {
				if !slices.Contains(existing, tid) {
					t.Errorf("thread %d has samples; the target has %v", tid, existing)
				}
			}
			if len(tids) < 3 || !hasComment(p, "by: thread") {
				t.Errorf("samples by thread %v, want 3 threads; comments %q", tids, p.Comments)
			}
		})
	}
}

// threadsOf returns the IDs of a process's threads in its own PID namespace.
func threadsOf(t *testing.T, pid int) []int64 {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var all []int64
	for _, f := range files {
		status, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended meanwhile
		}
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
				var tid int64
				numbers := strings.Fields(rest)
				fmt.Sscan(numbers[len(numbers)-1], &tid)
				all = append(all, tid)
			}
		}
	}
	return all
}

// A process is shown with its own PID even if its first sample is of a thread other than its first. Several
// processes start during the profile, so that some are sampled in that way.
func TestProcessesThatStartWithThreads(t *testing.T) {
	need.Root(t)
	spin := program(t, "test/workloads/spin")
	seen := 0
	for seconds := 4; seconds <= 64 && seen < 8; seconds *= 4 { // on a busy machine some get no CPU time in a short profile
		t.Run(fmt.Sprint(seconds, "s"), func(t *testing.T) { // at whose end the target ends
			target := startContainer(t, "/usr/bin/dash", "-c", "sleep 1; for i in 1 2 3 4 5 6 7 8; do nice -n 19 "+spin+" -threads 4 & done; wait")
			seen = processesThatStart(t, target, seconds)
		})
	}
	if seen < 8 {
		t.Errorf("samples of %d processes, want 8", seen)
	}
}

// processesThatStart returns how many processes are at work in a profile of a container, and checks that their PIDs are those
// of its processes.
func processesThatStart(t *testing.T, target container, seconds int) int {
	t.Helper()
	stdout, stderr, err := in(t, target, "record", "--duration", fmt.Sprint(seconds, "s"), "--format", "pprof")
	if err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	p, err := profile.Parse(stdout)
	if err != nil {
		t.Fatal(err)
	}
	var processes []int64 // a thread has no directory of its own in the listing of /proc
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/root/proc/[0-9]*", target.pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range stats {
		var pid int64
		fmt.Sscan(filepath.Base(f), &pid)
		processes = append(processes, pid)
	}
	seen := map[int64]bool{}
	for _, s := range p.Sample {
		if !onStack(s, "main.turnWheel") {
			continue
		}
		got := s.NumLabel["pid"]
		if len(got) != 1 || !slices.Contains(processes, got[0]) {
			t.Fatalf("pid %v is none of the processes %v", got, processes)
		}
		seen[got[0]] = true
	}
	return len(seen)
}
