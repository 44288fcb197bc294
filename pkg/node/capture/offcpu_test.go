//go:build linux

package capture_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// sum returns the sum of the second values, in seconds, of a profile's samples with the given thread, state and frames.
// An empty argument matches all samples.
func sum(p *profile.Profile, thread, state, frames string) (seconds float64) {
	for _, s := range p.Sample {
		if (thread == "" || label(s, "thread") == thread) && (state == "" || label(s, "state") == state) && strings.Contains(names(s), frames) {
			seconds += float64(s.Value[1]) / 1e9
		}
	}
	return seconds
}

// waited is what the program's threads report per second: the number of naps and the seconds spent.
type waited struct{ naps, napShort, napLong, lock, burn, winkShort, winkLong float64 }

// startWaits starts the program and returns a function that reads its report.
func startWaits(t *testing.T) (*target, func() (at float64, w waited)) {
	s := startWithPipes(t, compileC(t, "testdata/waits.c", "-O2", "-fomit-frame-pointer", "-g", "-pthread", "-fno-optimize-sibling-calls"))
	time.Sleep(100 * time.Millisecond) // its threads have started
	return s, func() (at float64, w waited) {
		fmt.Fprintln(s.stdin)
		line, err := s.stdout.ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		if _, err := fmt.Sscan(line, &at, &w.naps, &w.napShort, &w.napLong, &w.lock, &w.burn, &w.winkShort, &w.winkLong); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		return at, w
	}
}

// during reads the program's report twice, d apart, and returns the difference per second.
func during(ask func() (float64, waited), d time.Duration) waited {
	begin, a := ask()
	time.Sleep(d)
	end, b := ask()
	for _, v := range []struct {
		to   *float64
		from float64
	}{{&b.naps, a.naps}, {&b.napShort, a.napShort}, {&b.napLong, a.napLong}, {&b.lock, a.lock}, {&b.burn, a.burn}, {&b.winkShort, a.winkShort}, {&b.winkLong, a.winkLong}} {
		*v.to = (*v.to - v.from) / (end - begin)
	}
	return b
}

// Threads wait for known times at known places: asleep for the whole profile, on a lock, and on two call paths with the
// same register values.
func TestOffCPU(t *testing.T) {
	need.Root(t)
	s, ask := startWaits(t)
	var w waited
	p := profileDuring(t, s, sampling.NewOffCPU, capture.Options{ByThread: true}, time.Second, func() { w = during(ask, 4*time.Second) })
	whole := time.Duration(p.DurationNanos).Seconds()
	logSamples(t, p)
	for _, c := range []struct {
		thread, frames string
		want           float64
	}{
		{"sleeper", ",read,sleep_for_ever,sleeper,", whole},
		{"waits", ",main,", whole},
		{"holder", ",holder,", whole},
		{"wanter", ",pthread_mutex_lock,want,wanter,", whole * w.lock},
		{"wanter", ",read,wanter,", whole * (1 - w.lock)},
		{"napper", ",rest,nap_short,napper,", whole * w.napShort},
		{"napper", ",rest,nap_long,napper,", whole * w.napLong},
	} {
		if got := sum(p, c.thread, "", c.frames); math.Abs(got-c.want) > 0.05*c.want {
			t.Errorf("%s waits %.3f s in %s, want %.3f", c.thread, got, c.frames, c.want)
		}
		if ready := sum(p, c.thread, "runnable", c.frames); ready > 0.2*c.want {
			t.Errorf("%s waits %.3f s for a CPU in %s", c.thread, ready, c.frames)
		}
	}
	// Waits above the rate limit get the stack of an adjacent wait, of either path with equal probability.
	for frames, want := range map[string]float64{",rest,wink_short,winker,": whole * w.winkShort, ",rest,wink_long,winker,": whole * w.winkLong} {
		if got := sum(p, "winker", "", frames); math.Abs(got-want) > 0.05*(w.winkShort+w.winkLong)*whole {
			t.Errorf("winker waits %.3f s in %s, want %.3f", got, frames, want)
		}
	}
	if naps := float64(samplesAt(p, ",rest,nap_long,napper,")); math.Abs(naps-w.naps*whole) > 0.05*naps+2 {
		t.Errorf("%.0f naps, want %.0f", naps, w.naps*whole)
	}
	for _, s := range p.Sample {
		if end := names(s); !strings.HasSuffix(end, ",clone3,") && !strings.HasSuffix(end, ",_start,") && end != builder.StackNotTaken+"," {
			t.Errorf("a stack does not reach its root: %s", end)
		}
	}
	if text := strings.Join(p.Comments, "\n"); !strings.Contains(text, "lost waits: 0, of 0s") || !strings.Contains(text, "broken stacks: 0") {
		t.Errorf("comments %q", p.Comments)
	}
}

// Waits are labelled with their state, for example uninterruptible (disk) or stopped.
func TestOffCPUStates(t *testing.T) {
	need.Root(t)
	s := startWithPipes(t, compileC(t, "testdata/blocked.c", "-O2", "-fomit-frame-pointer", "-g"))
	var blocked, stopped float64
	p := profileDuring(t, s, sampling.NewOffCPU, capture.Options{PIDs: []int{s.pid}}, 0, func() {
		fmt.Fprintln(s.stdin)
		if _, err := fmt.Fscanln(s.stdout, &blocked); err != nil {
			t.Error(err)
		}
		began := time.Now()
		syscall.Kill(s.pid, syscall.SIGSTOP)
		time.Sleep(time.Second) // a busy machine delays both signals by some milliseconds
		syscall.Kill(s.pid, syscall.SIGCONT)
		stopped = time.Since(began).Seconds()
	})
	logSamples(t, p)
	for _, c := range []struct {
		state, frames string
		want          float64
	}{
		{"blocked", ",wait_for_child,main,", blocked}, {"stopped", ",main,", stopped},
	} {
		if got := sum(p, "", c.state, c.frames); math.Abs(got-c.want) > 0.05*c.want {
			t.Errorf("%s for %.3f s, want %.3f", c.state, got, c.want)
		}
	}
}

// A thread's CPU time and waiting time add up to the wall time.
func TestThreadWall(t *testing.T) {
	need.Root(t)
	s, ask := startWaits(t)
	wall := func(leaveOut func(int) bool) func(o capture.Options) (*sampling.Sampler, error) {
		return func(o capture.Options) (*sampling.Sampler, error) { return capture.NewThreadWall(o, leaveOut) }
	}
	var w waited
	p := profileDuring(t, s, wall(nil), capture.Options{ByThread: true, Frequency: 499}, time.Second, func() { w = during(ask, 4*time.Second) })
	logSamples(t, p)
	whole := time.Duration(p.DurationNanos).Seconds()
	for _, thread := range []string{"waits", "napper", "holder", "wanter", "sleeper", "worker"} {
		if got := sum(p, thread, "", ""); math.Abs(got-whole) > 0.05*whole {
			t.Errorf("thread %s: %.3f s of %.3f", thread, got, whole)
		}
	}
	if running := sum(p, "worker", "running", "burn"); math.Abs(running-w.burn*whole) > 0.1*running {
		t.Errorf("worker runs %.3f s, by its own account %.3f", running, w.burn*whole)
	}
	p = profileDuring(t, s, wall(func(pid int) bool { return pid == s.pid }), capture.Options{Frequency: 99}, time.Second, nil)
	if len(p.Sample) != 0 {
		t.Errorf("%d samples of an excluded process", len(p.Sample))
	}
}

// Two threads exchange a byte a hundred thousand times per second. Their waits are aggregated and none is lost.
func TestManySwitches(t *testing.T) {
	need.Root(t)
	s := startWithPipes(t, compileC(t, "testdata/waits.c", "-O2", "-fomit-frame-pointer", "-g", "-pthread"), "pingpong")
	rounds := func() (n float64) {
		fmt.Fprintln(s.stdin)
		line, err := s.stdout.ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		fmt.Sscan(line, &n)
		return n
	}
	var before, after float64
	p := profileDuring(t, s, sampling.NewOffCPU, capture.Options{ByThread: true}, time.Second, func() {
		before = rounds()
		time.Sleep(time.Second)
		after = rounds()
	})
	logSamples(t, p)
	whole := time.Duration(p.DurationNanos).Seconds()
	for _, thread := range []string{"pinger", "ponger"} {
		if got := sum(p, thread, "", ""); got < 0.1*whole || got > whole {
			t.Errorf("%s waits %.3f s of %.3f", thread, got, whole)
		}
		// They wait when reading and when preempted.
		if unknown := sum(p, thread, "", builder.StackNotTaken); unknown > 0.1*whole {
			t.Errorf("%s waits %.3f s of %.3f with a stack that was not taken", thread, unknown, whole)
		}
	}
	if waits := float64(samplesAt(p, ",read,pinger,")); waits < (after-before)/4 {
		t.Errorf("%.0f waits of %.0f rounds", waits, after-before)
	}
	if text := strings.Join(p.Comments, "\n"); !strings.Contains(text, "lost waits: 0, of 0s") || !strings.Contains(text, "lost samples: 0") {
		t.Errorf("comments %q", p.Comments)
	}
}

// Close unloads all BPF programs.
func TestCloseUnloadsPrograms(t *testing.T) {
	need.Root(t)
	s := startWithPipes(t, compileC(t, "testdata/waits.c", "-O2", "-g", "-pthread"))
	loaded := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range entries {
			if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(to, "bpf") || strings.Contains(to, "perf_event") {
				n++
			}
		}
		return n
	}
	before := loaded()
	for _, sampler := range []func(capture.Options) (*sampling.Sampler, error){
		sampling.NewOffCPU, sampling.NewFaults,
		func(o capture.Options) (*sampling.Sampler, error) { return capture.NewThreadWall(o, nil) },
	} {
		profileDuring(t, s, sampler, capture.Options{Frequency: 99}, 200*time.Millisecond, nil)
		if after := loaded(); after != before {
			t.Errorf("%d descriptors of BPF and perf events, want %d as before", after, before)
		}
	}
}
