//go:build linux

package capture_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/kallsyms"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// sumOfTime returns the sum of the second values, in seconds, of a profile's samples with the given thread, state and frames.
// An empty argument matches all samples.
func sumOfTime(p *profile.Profile, thread, state, frames string) (seconds float64) {
	for _, s := range p.Sample {
		if (thread == "" || label(s, "thread") == thread) && (state == "" || label(s, "state") == state) && strings.Contains(names(s), frames) {
			seconds += float64(s.Value[1]) / 1e9
		}
	}
	return seconds
}

// waited is what the program's threads report: the time in seconds, the number of naps and the seconds spent since the start.
type waited struct{ at, naps, napShort, napLong, lock, noLock, burn, winkShort, winkLong float64 }

// minus returns what happened since an earlier report.
func (w waited) minus(a waited) waited {
	return waited{w.at - a.at, w.naps - a.naps, w.napShort - a.napShort, w.napLong - a.napLong, w.lock - a.lock, w.noLock - a.noLock, w.burn - a.burn,
		w.winkShort - a.winkShort, w.winkLong - a.winkLong}
}

// startWaits starts the program and returns a function that reads its report.
func startWaits(t *testing.T) (*target, func() waited) {
	s := startWithPipes(t, compileC(t, "testdata/waits.c", "-O2", "-fomit-frame-pointer", "-g", "-pthread", "-fno-optimize-sibling-calls"))
	s.waitForThreads(t, "waits", "napper", "holder", "wanter", "sleeper", "worker", "winker", "winker", "winker", "winker")
	return s, func() waited {
		fmt.Fprintln(s.stdin)
		line, err := s.stdout.ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		var w waited
		if _, err := fmt.Sscan(line, &w.at, &w.naps, &w.napShort, &w.napLong, &w.lock, &w.burn, &w.winkShort, &w.winkLong); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		for _, ns := range []*float64{&w.at, &w.napShort, &w.napLong, &w.lock, &w.burn, &w.winkShort, &w.winkLong} {
			*ns /= 1e9
		}
		w.noLock = w.at - w.lock
		return w
	}
}

// waitForThreads waits until the target has threads of these names, each of them has waited, and the first one reads stdin.
func (s *target) waitForThreads(t *testing.T, names ...string) {
	t.Helper()
	slices.Sort(names)
	capture.WaitFor(t, "the target's threads", func() bool {
		var got []string
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.pid))
		for _, f := range files {
			status, _ := os.ReadFile(f)
			name, waits := "", 0
			for line := range strings.Lines(string(status)) {
				fmt.Sscanf(line, "Name: %s", &name)
				fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &waits)
			}
			if waits > 0 {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", s.pid)) // number and first argument (proc_pid_syscall(5))
		return slices.Equal(got, names) && strings.HasPrefix(string(call), fmt.Sprintf("%d 0x0 ", unix.SYS_READ))
	})
}

// readyTimes returns how long the target's threads have waited for a CPU, in seconds by name.
func (s *target) readyTimes(t *testing.T) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", s.pid))
	for _, f := range files {
		name, _ := os.ReadFile(f + "/comm")
		text, err := os.ReadFile(f + "/schedstat")
		var ran, ready float64
		if _, scanErr := fmt.Sscan(string(text), &ran, &ready); err != nil || scanErr != nil {
			t.Fatalf("%s: %q, %v", f, text, err)
		}
		all[strings.TrimSpace(string(name))] += ready / 1e9
	}
	return all
}

// profileWaits profiles the program for at least d, and then until done returns true for the sum of the slices and what the
// program has reported since sampling began. It returns what the program has reported for a time within that of the profile
// and for a time around it. Times in the profile are between the two, however busy the machine is.
func profileWaits(
	t *testing.T, create func(capture.Options) (*sampling.Sampler, error), o capture.Options, ask func() waited, d time.Duration,
	done func(sum *profile.Profile, w waited) bool,
) (p *profile.Profile, within, around waited) {
	t.Helper()
	o.Steps = &api.Steps{}
	c, err := create(o)
	if err != nil {
		t.Fatal(err)
	}
	before := ask()
	var first waited
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		for !slices.ContainsFunc(o.Steps.End(), func(s api.Step) bool { return s.Name == "sampling" }) {
			if t.Context().Err() != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		first = ask()
	}()
	var sum *profile.Profile
	p, _ = runUntil(t, c, capture.WaitLimit, func(slice *profile.Profile) bool {
		<-begun
		sum = merge(t, sum, slice)
		within = ask().minus(first)
		return within.at >= d.Seconds() && done(sum, within)
	})
	around = ask().minus(before)
	around.at = min(around.at, time.Duration(p.DurationNanos).Seconds())
	return p, within, around
}

// Threads wait for known times at known places: asleep for the whole profile, on a lock, and on two call paths with the
// same register values.
func TestOffCPU(t *testing.T) {
	need.Root(t)
	s, ask := startWaits(t)
	ready := s.readyTimes(t)
	const short, long = ",rest,wink_short,winker,", ",rest,wink_long,winker,"
	winksRight := false
	p, within, around := profileWaits(t, sampling.NewOffCPU, capture.Options{ContainerID: s.id, ByThread: true}, ask, 4*time.Second, func(sum *profile.Profile, w waited) bool {
		// Waits above the rate limit get the stack of an adjacent wait, of either path with equal probability. That comes out
		// over time, since a busy machine prolongs some of them much.
		want := w.winkShort / (w.winkShort + w.winkLong)
		got := sumOfTime(sum, "winker", "", short)
		got /= got + sumOfTime(sum, "winker", "", long)
		winksRight = math.Abs(got-want) < 0.05
		return winksRight
	})
	for thread, now := range s.readyTimes(t) {
		ready[thread] = now - ready[thread]
	}
	logSamples(t, p)
	for _, c := range []struct {
		thread, frames string
		want           func(waited) float64
	}{
		{"sleeper", ",read,sleep_for_ever,sleeper,", func(w waited) float64 { return w.at }},
		{"waits", ",main,", func(w waited) float64 { return w.at }},
		{"holder", ",holder,", func(w waited) float64 { return w.at }},
		{"wanter", ",pthread_mutex_lock,want,wanter,", func(w waited) float64 { return w.lock }},
		{"wanter", ",read,wanter,", func(w waited) float64 { return w.noLock }},
		{"napper", ",rest,nap_short,napper,", func(w waited) float64 { return w.napShort }},
		{"napper", ",rest,nap_long,napper,", func(w waited) float64 { return w.napLong }},
		{"winker", ",winker,", func(w waited) float64 { return w.winkShort + w.winkLong }},
	} {
		low, high := c.want(within), c.want(around)
		if got := sumOfTime(p, c.thread, "", c.frames); got < 0.95*low || got > 1.02*high {
			t.Errorf("%s waits %.3f s in %s, want %.3f to %.3f", c.thread, got, c.frames, low, high)
		}
		if got := sumOfTime(p, c.thread, "runnable", c.frames); got > max(0.2*low, ready[c.thread]) {
			t.Errorf("%s waits %.3f s for a CPU in %s, of %.3f", c.thread, got, c.frames, ready[c.thread])
		}
	}
	if !winksRight {
		t.Errorf("winker waits %.3f s in %s and %.3f s in %s, want about %.3f and %.3f",
			sumOfTime(p, "winker", "", short), short, sumOfTime(p, "winker", "", long), long, within.winkShort, within.winkLong)
	}
	if naps := float64(samplesAt(p, ",rest,nap_long,napper,")); naps < 0.95*within.naps-2 || naps > 1.05*around.naps+2 {
		t.Errorf("%.0f naps, want %.0f to %.0f", naps, within.naps, around.naps)
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
	var blocked, again, stoppedAtLeast, stoppedAtMost float64
	p := profileDuring(t, s, sampling.NewOffCPU, capture.Options{PIDs: []int{s.pid}}, 0, func() {
		fmt.Fprintln(s.stdin)
		if _, err := fmt.Fscanln(s.stdout, &blocked); err != nil {
			t.Error(err)
		}
		isStopped := func() bool {
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
			return strings.Contains(string(stat), ") T ")
		}
		before := time.Now()
		syscall.Kill(s.pid, syscall.SIGSTOP)
		capture.WaitFor(t, "the program to stop", isStopped)
		began := time.Now()
		time.Sleep(time.Second)
		stoppedAtLeast = time.Since(began).Seconds()
		syscall.Kill(s.pid, syscall.SIGCONT)
		fmt.Fprintln(s.stdin) // it runs again when it answers
		if _, err := fmt.Fscanln(s.stdout, &again); err != nil {
			t.Error(err)
		}
		stoppedAtMost = time.Since(before).Seconds() - again
	})
	logSamples(t, p)
	for _, c := range []struct {
		state, frames string
		low, high     float64
	}{
		// Of what the program measures, it is not blocked while it waits for a CPU. Each of 100 children sleeps for 10 ms.
		{"blocked", ",wait_for_child,main,", 100 * 0.01, blocked + again}, {"stopped", ",main,", stoppedAtLeast, stoppedAtMost},
	} {
		if got := sumOfTime(p, "", c.state, c.frames); got < 0.95*c.low || got > 1.01*c.high {
			t.Errorf("%s for %.3f s, want %.3f to %.3f", c.state, got, c.low, c.high)
		}
	}
}

// A thread's CPU time and waiting time add up to the wall time.
func TestThreadWall(t *testing.T) {
	need.Root(t)
	s, ask := startWaits(t)
	leavingOut := func(pid int) func(capture.Options) (*sampling.Sampler, error) {
		return func(o capture.Options) (*sampling.Sampler, error) {
			return capture.NewThreadWall(o, func(p int) bool { return p == pid })
		}
	}
	o := capture.Options{ContainerID: s.id, ByThread: true, Frequency: 499}
	p, within, around := profileWaits(t, leavingOut(0), o, ask, 4*time.Second, func(*profile.Profile, waited) bool { return true })
	logSamples(t, p)
	running := sumOfTime(p, "worker", "running", "burn")
	off := 4*math.Sqrt(running/499) + 0.01 // of the time measured by samples; the report lacks the last 5 ms
	for _, thread := range []string{"waits", "napper", "holder", "wanter", "sleeper", "worker"} {
		off := off
		if thread != "worker" {
			off = 0
		}
		if got := sumOfTime(p, thread, "", ""); got < 0.95*within.at-off || got > 1.02*around.at+off {
			t.Errorf("thread %s: %.3f s of %.3f to %.3f", thread, got, within.at, around.at)
		}
	}
	if running < within.burn-off || running > around.burn+off {
		t.Errorf("worker runs %.3f s, by its own account %.3f to %.3f", running, within.burn, around.burn)
	}
	p = profileDuring(t, s, leavingOut(s.pid), capture.Options{Frequency: 99}, time.Second, nil)
	if len(p.Sample) != 0 {
		t.Errorf("%d samples of an excluded process", len(p.Sample))
	}
}

// Two threads exchange a byte a hundred thousand times per second. Their waits are aggregated and none is lost.
func TestManySwitches(t *testing.T) {
	need.Root(t)
	s := startWithPipes(t, compileC(t, "testdata/waits.c", "-O2", "-fomit-frame-pointer", "-g", "-pthread"), "pingpong")
	s.waitForThreads(t, "waits", "pinger", "ponger")
	rounds := func() (n float64) {
		fmt.Fprintln(s.stdin)
		line, err := s.stdout.ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		fmt.Sscan(line, &n)
		return n
	}
	c, err := sampling.NewOffCPU(capture.Options{ContainerID: s.id, ByThread: true})
	if err != nil {
		t.Fatal(err)
	}
	threads := []string{"pinger", "ponger"}
	var before, after float64
	var sum *profile.Profile
	var began time.Time
	known := false
	p, _ := runUntil(t, c, capture.WaitLimit, func(slice *profile.Profile) bool {
		if len(slice.Sample) == 0 {
			return false // sampling may not have begun
		}
		if sum = merge(t, sum, slice); before == 0 {
			before, began = rounds(), time.Now()
		}
		after = rounds()
		// They wait when reading and when preempted. A busy machine prolongs some waits much.
		known = true
		for _, thread := range threads {
			known = known && sumOfTime(sum, thread, "", builder.StackNotTaken) <= 0.1*sumOfTime(sum, thread, "", "")
		}
		return known && after-before > 1000 && time.Since(began) > time.Second
	})
	logSamples(t, p)
	whole := time.Duration(p.DurationNanos).Seconds()
	for _, thread := range threads {
		if got := sumOfTime(p, thread, "", ""); got < 0.1*whole || got > whole {
			t.Errorf("%s waits %.3f s of %.3f", thread, got, whole)
		}
	}
	if !known {
		t.Error("the threads wait too long with stacks that were not taken")
	}
	if waits := float64(samplesAt(p, ",read,pinger,")); after-before < 1000 || waits < (after-before)/4 {
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
	if _, err := kallsyms.Find(nil); err != nil { // the program that names functions stays loaded
		t.Fatal(err)
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
