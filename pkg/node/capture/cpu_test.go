//go:build linux

package capture

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == golang.GuardCommand {
		if err := golang.RunGuard(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	if capturetest.RunWorkload() {
		return
	}
	switch os.Getenv(capturetest.TargetVariable) {
	case "enable": // a capture that the test kills
		c, err := profiles.NewHeap(Options{ContainerID: os.Args[1], EnableMemProfile: true, MemProfileRate: 4096})
		if err == nil {
			ctx, stop := context.WithTimeout(context.Background(), time.Minute)
			_, err = c.Run(ctx)
			stop()
		}
		fmt.Fprintln(os.Stderr, err)
	case "heap":
		c, err := profiles.NewHeap(Options{ContainerID: os.Args[1]})
		if err == nil {
			_, err = c.Run(context.Background())
		}
		fmt.Print(err)
	case "":
		os.Exit(m.Run())
	}
}

// recordCPU samples until ctx ends.
func recordCPU(t *testing.T, ctx context.Context, o Options) *Result {
	t.Helper()
	c, err := sampling.NewCPU(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func count(p *profile.Profile) (n int64) {
	for _, s := range p.Sample {
		n += s.Value[0]
	}
	return n
}

// A busy thread is sampled once per period of its CPU time.
func TestSampleCount(t *testing.T) {
	need.Root(t)
	id, pid := capturetest.StartWorkload(t, "spin")
	for _, hz := range []int{99, 997} {
		c, err := sampling.NewCPU(Options{ContainerID: id, Frequency: hz})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var r *Result
		ended := make(chan error, 1)
		go func() {
			var err error
			r, err = c.Run(ctx)
			ended <- err
		}()
		var before int64 // samples
		slice := func() (n int64) {
			s, err := c.Slice()
			if err != nil {
				t.Fatal(err)
			}
			if s != nil {
				n = count(s.Profile)
			}
			before += n
			return n
		}
		capturetest.WaitFor(t, "the first samples", func() bool { return slice() > 0 })
		// The thread is stopped before and after the time that counts, so that it is exactly known.
		stopThreads(t, pid)
		slice()
		began := capturetest.CPUTime(t, pid)
		running := capturetest.UntilUsed(t, pid, 3*time.Second)
		syscall.Kill(pid, syscall.SIGCONT)
		<-running.Done()
		stopThreads(t, pid)
		used := capturetest.CPUTime(t, pid) - began
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		syscall.Kill(pid, syscall.SIGCONT)
		// The samples of a thread that is often descheduled are random, with the deviation of counted events.
		want := used.Seconds() * float64(hz)
		if got := float64(count(r.Profile) - before); math.Abs(got-want) > 4*math.Sqrt(want) {
			t.Errorf("%d Hz: %v samples of %v CPU time, want about %.0f", hz, got, used, want)
		}
	}
}

// stopThreads stops a process until SIGCONT.
func stopThreads(t *testing.T, pid int) {
	t.Helper()
	syscall.Kill(pid, syscall.SIGSTOP)
	capturetest.WaitFor(t, "the target to stop", func() bool {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, f := range files {
			if stat, _ := os.ReadFile(f); !strings.Contains(string(stat), ") T ") {
				return false
			}
		}
		return len(files) > 0
	})
}

// The sampled addresses are in the busy function, and the file of their mapping is still open.
func TestProfileOfAProcess(t *testing.T) {
	need.Root(t)
	id, pid := capturetest.StartWorkload(t, "spin")
	r := recordCPU(t, capturetest.UntilUsed(t, pid, time.Second), Options{ContainerID: id, Frequency: 499})
	p := r.Profile
	if len(p.Sample) == 0 {
		t.Fatal("no samples")
	}
	process, err := proc.Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	deepest := 0
	for _, s := range p.Sample {
		if got := s.NumLabel["pid"]; len(got) != 1 || got[0] != int64(process.NSPID) {
			t.Fatalf("pid label %v, want %d", got, process.NSPID)
		}
		deepest = max(deepest, len(s.Location))
	}
	if deepest < 3 {
		t.Errorf("the deepest stack has %d frames: frame pointers were not followed", deepest)
	}
	leaf := p.Sample[0].Location[0]
	for _, s := range p.Sample {
		if m := s.Location[0].Mapping; m != nil && !strings.HasPrefix(m.File, "[") {
			leaf = s.Location[0]
		}
	}
	f := r.File(leaf.Mapping)
	if f == nil || leaf.Mapping.BuildID == "" {
		t.Fatalf("the leaf's mapping %+v has no file or build ID", leaf.Mapping)
	}
	if _, err := f.ReadAt(make([]byte, 4), 0); err != nil {
		t.Error(err)
	}
}

// Stacks that exceed the recording limit are cut at the root and marked as truncated.
func TestDeepStackIsMarkedTruncated(t *testing.T) {
	need.Root(t)
	id, pid := capturetest.StartWorkload(t, "deep")
	p := recordCPU(t, capturetest.UntilUsed(t, pid, time.Second), Options{ContainerID: id, Frequency: 99}).Profile
	deep := 0
	for _, s := range p.Sample {
		last := s.Location[len(s.Location)-1]
		if len(last.Line) == 1 && last.Line[0].Function.Name == builder.Truncated {
			deep = max(deep, len(s.Location))
		}
	}
	if deep < 512 {
		t.Errorf("the deepest truncated stack has %d frames, want at least 512", deep)
	}
}

// Short-lived processes are sampled or counted as exited.
func TestShortProcesses(t *testing.T) {
	need.Root(t)
	id, pid := capturetest.StartWorkload(t, "fork")
	// The process itself uses about as much CPU time as the processes that it starts.
	p := recordCPU(t, capturetest.UntilUsed(t, pid, time.Second), Options{ContainerID: id, Frequency: 999}).Profile
	processes := map[int64]bool{}
	for _, s := range p.Sample {
		processes[s.NumLabel["pid"][0]] = true
	}
	if len(processes) < 3 {
		t.Errorf("%d processes seen, want several", len(processes))
	}
}

// Only samples of the selected processes are kept.
func TestPIDs(t *testing.T) {
	need.Root(t)
	id, pid := capturetest.StartWorkload(t, "spin")
	if n := count(recordCPU(t, capturetest.UntilUsed(t, pid, time.Second), Options{ContainerID: id, Frequency: 99, PIDs: []int{1}}).Profile); n != 0 {
		t.Errorf("%d samples of a process that was not selected", n)
	}
}

func TestMissingContainer(t *testing.T) {
	need.Root(t)
	_, err := sampling.NewCPU(Options{ContainerID: strings.Repeat("f", 64), Frequency: 99})
	if !errors.Is(err, proc.ErrNoContainer) {
		t.Errorf("want ErrNoContainer, got %v", err)
	}
}

func TestFrequencyOutOfRange(t *testing.T) {
	for _, hz := range []int{0, -1, 1001} {
		if _, err := sampling.NewCPU(Options{Frequency: hz}); err == nil || !strings.Contains(err.Error(), "1000") {
			t.Errorf("%d Hz: got %v", hz, err)
		}
	}
}

// Close leaves no BPF object loaded: the kernel frees programs and maps with their last descriptor.
func TestCloseFreesDescriptors(t *testing.T) {
	need.Root(t)
	id, _ := capturetest.StartWorkload(t, "spin")
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	cycle := func() {
		c, err := sampling.NewCPU(Options{ContainerID: id, Frequency: 99})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cycle() // opens the Go runtime's own descriptors, such as epoll
	before := open()
	cycle()
	runtime.GC()
	if after := open(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// BenchmarkNewCPU measures the time to load, verify and attach the BPF programs.
func BenchmarkNewCPU(b *testing.B) {
	need.Root(b)
	id, _ := capturetest.StartWorkload(b, "spin")
	for b.Loop() {
		c, err := sampling.NewCPU(Options{ContainerID: id, Frequency: 99})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
