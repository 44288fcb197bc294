//go:build linux

package profiler

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

func TestServeRefusesToStart(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"after its deadline":  {[]string{"--container-id=x", "--deadline=2001-02-03T04:05:06Z"}, "the deadline of this profiler passed at 2001-02-03T04:05:06Z"},
		"with a bad deadline": {[]string{"--container-id=x", "--deadline=tomorrow"}, `--deadline "tomorrow" is not a time`},
		"without a deadline":  {[]string{"--container-id=x"}, `--deadline "" is not a time`},
		"without a container": {[]string{"--deadline=2001-02-03T04:05:06Z"}, "--container-id is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, stderr bytes.Buffer
			cmd := NewCommand(Streams{Out: &out, Err: &stderr})
			cmd.SetArgs(append([]string{"serve"}, tc.args...))
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if out.Len() != 0 {
				t.Errorf("stdout: %q", &out)
			}
		})
	}
}

// One profile from the request to the exit of the profiler.
func TestServeProfilesItsContainer(t *testing.T) {
	need.Root(t)
	target := startContainer(t, program(t, "test/workloads/spin"))
	startContainer(t, program(t, "test/workloads/spin")) // a neighbour that runs the same program
	profiler := startProfiler(t, target.id)
	c := profiler.connect(t)
	v, err := c.Version(t.Context())
	if err != nil || v.Kernel == "" {
		t.Fatalf("got %+v, %v", v, err)
	}
	var last api.Progress
	var p *profile.Profile
	for d := 2 * time.Second; d <= time.Minute; d *= 4 { // on a busy machine the target may get hardly any CPU time at first
		id := api.NewCaptureID()
		watched := make(chan api.Progress)
		go func() {
			defer close(watched)
			c.Progress(t.Context(), id, func(p api.Progress) { watched <- p })
		}()
		got := make(chan *profile.Profile, 1)
		go func() {
			p, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Capture: id, Duration: d, Frequency: 99})
			if err != nil {
				t.Error(err)
			}
			got <- p
		}()
		for last = range watched {
		}
		if p = <-got; p == nil {
			return
		}
		if samplesOf(p) >= 50 {
			break
		}
	}
	if last.State != api.Done || last.Samples == 0 || last.Processes != 1 {
		t.Errorf("the last progress was %+v", last)
	}
	if share := shareOf(p, "main.turnWheel"); share < 0.8 { // the rest are interrupts
		t.Errorf("main.turnWheel has %.2f of the samples: %v", share, p)
	}
	for _, s := range p.Sample {
		if pid := s.NumLabel["pid"]; len(pid) != 1 || pid[0] != 1 {
			t.Fatalf("a sample of PID %v; the target is PID 1 of its namespace", pid)
		}
	}
	if hasComment(p, "partial: ") {
		t.Errorf("a whole profile is called partial: %q", p.Comments)
	}
	if err := c.Exit(t.Context(), false); err != nil {
		t.Error(err)
	}
	profiler.ends(t)
}

func TestServeStopsEarly(t *testing.T) {
	need.Root(t)
	target := startContainer(t, program(t, "test/workloads/spin"))
	profiler := startProfiler(t, target.id)
	c := profiler.connect(t)
	id := api.NewCaptureID()
	go c.Progress(t.Context(), id, func(p api.Progress) {
		if p.ElapsedMs > 900 {
			c.Stop(t.Context(), id)
		}
	})
	p, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Capture: id, Duration: 4 * time.Minute, Frequency: 99})
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Duration(p.DurationNanos); d < 900*time.Millisecond || d > 3*time.Minute || !hasComment(p, "partial: stopped after ") {
		t.Errorf("the profile lasted %v and says %q", d, p.Comments)
	}
}

func TestServeRefusesAProfile(t *testing.T) {
	need.Root(t)
	profiler := startProfiler(t, strings.Repeat("0", 64)) // no container has that ID
	for want, d := range map[string]time.Duration{reasonNoContainer: time.Second, reasonDeadline: 10 * time.Minute} {
		_, err := profiler.connect(t).Profile(t.Context(), api.Request{Type: api.CPU, Duration: d, Frequency: 99})
		var refused *api.Error
		if !errors.As(err, &refused) || refused.Reason != want {
			t.Errorf("%v: got %v, want %s", d, err, want)
		}
	}
}

// A profiler that is kept serves a second client after the first has gone.
func TestServeIsKept(t *testing.T) {
	need.Root(t)
	target := startContainer(t, program(t, "test/workloads/spin"))
	profiler := startProfiler(t, target.id, "--keep", "4m")
	for range 2 {
		c := profiler.connect(t)
		if _, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: 200 * time.Millisecond, Frequency: 99}); err != nil {
			t.Fatal(err)
		}
		if err := c.Exit(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if err := profiler.connect(t).Exit(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	profiler.ends(t)
}

// The profiler exits soon after its only client has gone, also during a capture.
func TestServeEndsAfterItsClient(t *testing.T) {
	need.Root(t)
	target := startContainer(t, program(t, "test/workloads/spin"))
	profiler := startProfiler(t, target.id)
	c := profiler.connect(t)
	id := api.NewCaptureID()
	go c.Profile(t.Context(), api.Request{Type: api.CPU, Capture: id, Duration: 4 * time.Minute, Frequency: 99})
	c.Progress(t.Context(), id, func(p api.Progress) {
		if p.Samples > 0 {
			c.Close()
		}
	})
	profiler.ends(t)
}

// The target comes first: the profiler is the first to be killed when memory is short, and the
// last to get CPU time.
func TestServeYieldsToTheTarget(t *testing.T) {
	need.Root(t)
	profiler := startProfiler(t, strings.Repeat("0", 64))
	proc := fmt.Sprintf("/proc/%d", profiler.pid)
	adj, err := os.ReadFile(proc + "/oom_score_adj")
	if err != nil || string(adj) != "1000\n" {
		t.Errorf("oom_score_adj is %q, %v", adj, err)
	}
	threads, err := filepath.Glob(proc + "/task/*/stat")
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads: %v, %v", threads, err)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			t.Fatal(err)
		}
		// The nice value is field 19 (proc_pid_stat(5)), the 17th after the name in parentheses.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[16] != "19" {
			t.Errorf("%s: nice %s, want 19", thread, fields[16])
		}
	}
}

// shareOf returns the share of the samples with the function on their stack.
func shareOf(p *profile.Profile, function string) float64 {
	var with, all int64
	for _, s := range p.Sample {
		all += s.Value[0]
		if onStack(s, function) {
			with += s.Value[0]
		}
	}
	return float64(with) / float64(max(all, 1))
}

func onStack(s *profile.Sample, function string) bool {
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function != nil && line.Function.Name == function {
				return true
			}
		}
	}
	return false
}

func hasComment(p *profile.Profile, prefix string) bool {
	for _, c := range p.Comments {
		if strings.HasPrefix(c, prefix) {
			return true
		}
	}
	return false
}
