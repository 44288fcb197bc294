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

	"github.com/kubectl-pprof/kubectl-pprof/pkg/api"
)

// Samples name their threads as the target's own namespace numbers them, whether the profiler is in that
// namespace, as with kubectl debug, or outside of it, as in a Job.
func TestByThread(t *testing.T) {
	needRoot(t)
	target := startContainer(t, program(t, "test/workloads/spin"), "-threads", "3")
	for name, take := range map[string]func(t *testing.T) *profile.Profile{
		"record, inside": func(t *testing.T) *profile.Profile {
			stdout, stderr, err := in(t, target, "record", "--duration", "1s", "--by", "thread", "--format", "pprof")
			if err != nil {
				t.Fatalf("%v: %s", err, stderr)
			}
			p, err := profile.Parse(stdout)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		"serve, outside": func(t *testing.T) *profile.Profile {
			p, err := startProfiler(t, target.id).connect(t).Profile(t.Context(), api.Request{
				Type: "cpu", Capture: api.NewCaptureID(), Duration: time.Second, Frequency: 99, By: api.ByThread,
			})
			if err != nil {
				t.Fatal(err)
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

// threadsOf lists a process's threads by their numbers in its own namespace.
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

// A program whose first sample is that of a thread has its process's number all the same.
func TestProcessOfANewProgramsThreads(t *testing.T) {
	needRoot(t)
	spin := program(t, "test/workloads/spin")
	target := startContainer(t, "/usr/bin/dash", "-c", "sleep 1; exec "+spin+" -threads 3")
	stdout, stderr, err := in(t, target, "record", "--duration", "2s", "--format", "pprof")
	if err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	p, err := profile.Parse(stdout)
	if err != nil {
		t.Fatal(err)
	}
	if share := shareOf(p, "main.turnWheel"); share < 0.5 {
		t.Errorf("main.turnWheel has %.2f of the samples", share)
	}
	for _, s := range p.Sample {
		if got := s.NumLabel["pid"]; onStack(s, "main.turnWheel") && (len(got) != 1 || got[0] != 1) {
			t.Errorf("pid %v, want 1", got)
		}
	}
}
