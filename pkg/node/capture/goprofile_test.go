//go:build linux

package capture_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// sampler is what profiles of Go's runtime have in common.
type sampler interface {
	Run(context.Context) (*capture.Result, error)
	Close() error
}

// runProfile makes a profile as the profiler does.
func runProfile[S sampler](t *testing.T, make func(capture.Options) (S, error), o capture.Options, d time.Duration) (*profile.Profile, error) {
	t.Helper()
	c, err := make(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	r, err := c.Run(ctx)
	if err != nil {
		return nil, err
	}
	if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
		t.Fatal(err)
	}
	return r.Profile, nil
}

// startGo runs a program of testdata and waits until it is ready.
func startGo(t *testing.T, program string, args ...string) *target {
	t.Helper()
	s := startWithPipes(t, program, args...)
	s.expect(t, "ready")
	return s
}

func (s *target) expect(t *testing.T, want string) {
	t.Helper()
	if line, err := s.stdout.ReadString('\n'); strings.TrimSpace(line) != want {
		t.Fatalf("the program says %q (%v), want %q", line, err, want)
	}
}

// ask lets the program write a profile of itself.
func (s *target) ask(t *testing.T, name string) *profile.Profile {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	fmt.Fprintln(s.stdin, name, path)
	s.expect(t, "<nil>")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// valuesByStack sums values by stack, with lines, and by object size where that is told.
func valuesByStack(p *profile.Profile) map[string][]int64 {
	sums := map[string][]int64{}
	for _, s := range p.Sample {
		var b strings.Builder
		for _, l := range s.Location {
			for _, line := range l.Line {
				fmt.Fprintf(&b, "%s %s:%d,", line.Function.Name, filepath.Base(line.Function.Filename), line.Line)
			}
		}
		fmt.Fprint(&b, s.NumLabel["bytes"])
		key := b.String()
		if sums[key] == nil {
			sums[key] = make([]int64, len(s.Value))
		}
		for i, v := range s.Value {
			sums[key][i] += v
		}
	}
	return sums
}

// compare reports stacks whose values differ by more than a share; those that only one has must be all zero.
func compare(t *testing.T, got, want *profile.Profile, share float64) {
	t.Helper()
	if typesOf(got) != typesOf(want) {
		t.Errorf("types %s; want %s", typesOf(got), typesOf(want))
	}
	g, w, bad := valuesByStack(got), valuesByStack(want), 0
	all := map[string]bool{}
	for k := range g {
		all[k] = true
	}
	for k := range w {
		all[k] = true
	}
	for k := range all {
		for i := range want.SampleType {
			a, b := valueOf(g[k], i), valueOf(w[k], i)
			if math.Abs(float64(a-b)) > share*math.Abs(float64(b)) {
				if bad++; bad < 10 {
					t.Errorf("%s %d, want %d: %s", want.SampleType[i].Type, a, b, k)
				}
			}
		}
	}
	if len(w) < 2 {
		t.Errorf("there are only %d stacks to compare", len(w))
	}
	t.Logf("%d stacks, %d of them in the program's own profile; %d values differ", len(all), len(w), bad)
}

// keepStacks leaves only stacks with these frames.
func keepStacks(p *profile.Profile, frames string) {
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool { return !strings.Contains(names(s), frames) })
}

func typesOf(p *profile.Profile) string {
	var b strings.Builder
	for _, v := range append(p.SampleType, p.PeriodType) {
		fmt.Fprintf(&b, "%s/%s ", v.Type, v.Unit)
	}
	return b.String() + fmt.Sprint(p.Period)
}

func valueOf(values []int64, i int) int64 {
	if values == nil {
		return 0
	}
	return values[i]
}

// goBuilds are versions of Go and ways to build, each other one stripped.
var goBuilds = []struct{ version, flags string }{
	{"go1.20.14", "-ldflags=-s"}, {"go1.21.13", "-ldflags=-w"}, {"go1.22.12", "-ldflags=-s"}, {"go1.23.12", "-ldflags=-s"},
	{"go1.24.13", "-ldflags=-w"}, {"go1.25.7", "-ldflags=-s -buildmode=pie"}, {"local", "-ldflags=-s"}, {"local", "-buildmode=pie"}, {"local", "-race -ldflags=-s"},
}

// A program's profiles are those that it writes of itself with runtime/pprof, stack by stack.
func TestGoProfiles(t *testing.T) {
	need.Root(t)
	builds := goBuilds
	if testing.Short() {
		builds = builds[6:7]
	}
	for _, b := range builds {
		t.Run(b.version+b.flags, func(t *testing.T) {
			program := buildGo(t, b.version, b.flags, "goprofiles")
			for _, workload := range []string{"quiet", "nogc"} {
				t.Run("heap/"+workload, func(t *testing.T) {
					s := startGo(t, program, workload)
					got, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute)
					if err != nil {
						t.Fatal(err)
					}
					if got.DefaultSampleType != "inuse_space" {
						t.Errorf("the default type is %s", got.DefaultSampleType)
					}
					want := s.ask(t, "heap")
					if workload == "nogc" { // without the quiet after a collection, what it allocates for us to ask is there too
						keepStacks(got, "main.allocate,")
						keepStacks(want, "main.allocate,")
					}
					compare(t, got, want, 0)
				})
			}
			t.Run("waits", func(t *testing.T) {
				s := startGo(t, program, "waits")
				for name, make := range map[string]func(capture.Options) (*profiles.Contention, error){"mutex": profiles.NewMutex, "block": profiles.NewBlock} {
					got, err := runProfile(t, make, capture.Options{ContainerID: s.id}, time.Minute)
					if err != nil {
						t.Fatal(err)
					}
					// Both sides measure how fast the CPU's counter runs.
					compare(t, got, s.ask(t, name), 0.005)
				}
			})
		})
	}
}

// Reading memory takes no more than the capability CAP_SYS_PTRACE.
func TestGoProfilesWithOneCapability(t *testing.T) {
	need.Root(t)
	s := startGo(t, buildGo(t, "local", "-ldflags=-s", "goprofiles"), "quiet")
	for set, want := range map[string]string{"-all,+sys_ptrace": "<nil>", "-all": "CAP_SYS_PTRACE"} {
		cmd := exec.Command("setpriv", "--bounding-set="+set, "--inh-caps=-all", os.Args[0], s.id)
		cmd.Env = append(os.Environ(), "CAPTURE_TEST_TARGET=heap")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("with the capabilities %s: %v, %s; want %s", set, err, out, want)
		}
	}
}

// What a busy program allocates lies, stack by stack, between what it says itself before and after.
func TestHeapOfABusyProgram(t *testing.T) {
	need.Root(t)
	s := startGo(t, buildGo(t, "local", "-ldflags=-s", "goprofiles"), "busy")
	before := valuesByStack(s.ask(t, "heap"))
	p, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	after, compared := valuesByStack(s.ask(t, "heap")), 0
	got := valuesByStack(p)
	for stack, low := range before {
		high := after[stack]
		if high == nil || !strings.Contains(stack, "main.busy") {
			continue
		}
		for i := range 2 { // objects and bytes allocated only grow
			if v := valueOf(got[stack], i); float64(v) < 0.95*float64(low[i]) || float64(v) > 1.05*float64(high[i]) {
				t.Errorf("%s %d, not between %d and %d: %s", p.SampleType[i].Type, v, low[i], high[i], stack)
			}
		}
		compared++
	}
	if compared < 2 {
		t.Errorf("only %d stacks were compared", compared)
	}
}

// What a program has allocated until it ended, but for the time since the last slice, is in the profile, and slices add up.
func TestAllocsOfAProgramThatEnds(t *testing.T) {
	need.Root(t)
	s := startGo(t, buildGo(t, "local", "-ldflags=-s", "goprofiles"), "busy")
	c, err := profiles.NewAllocs(capture.Options{ContainerID: s.id})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var r *capture.Result
	done := make(chan struct{})
	go func() {
		r, err = c.Run(ctx)
		close(done)
	}()
	sum := func(p *profile.Profile) (total int64) {
		for _, s := range p.Sample {
			total += s.Value[1]
		}
		return total
	}
	made, inSlices := 0, int64(0)
	for began := time.Now(); made < 3 && time.Since(began) < 10*time.Second; time.Sleep(100 * time.Millisecond) {
		slice, err := c.Slice()
		if err != nil {
			t.Fatal(err)
		}
		if slice != nil {
			inSlices += sum(slice.Profile)
			made++
		}
	}
	processes, listErr := proc.InContainer(s.id)
	if listErr != nil {
		t.Fatal(listErr)
	}
	syscall.Kill(processes[0].PID, syscall.SIGKILL)
	time.Sleep(100 * time.Millisecond)
	stop()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	// Each slice is scaled by itself, and rounded.
	if total := sum(r.Profile); total < 1<<20 || math.Abs(float64(total-inSlices)) > 1e-3*float64(total) {
		t.Errorf("%d bytes in the profile, %d in its slices", total, inSlices)
	}
	if !strings.Contains(strings.Join(r.Profile.Comments, "\n"), "has ended") {
		t.Errorf("no comment tells that the program has ended: %q", r.Profile.Comments)
	}
}

// A profile that a program does not keep is an error that says what would make it keep it.
func TestGoProfilesThatAreOff(t *testing.T) {
	need.Root(t)
	s := startGo(t, buildGo(t, "local", "-ldflags=-s", "goplain"))
	o := capture.Options{ContainerID: s.id}
	if _, err := runProfile(t, profiles.NewHeap, o, time.Minute); !errors.Is(err, golang.ErrMemProfileOff) || !strings.Contains(err.Error(), "--enable-memprofile") {
		t.Errorf("heap: %v", err)
	}
	if _, err := runProfile(t, profiles.NewAllocs, o, time.Minute); !errors.Is(err, golang.ErrMemProfileOff) {
		t.Errorf("allocs: %v", err)
	}
	if _, err := runProfile(t, profiles.NewMutex, o, time.Minute); !errors.Is(err, golang.ErrNotCollected) || !strings.Contains(err.Error(), "runtime.SetMutexProfileFraction") {
		t.Errorf("mutex: %v", err)
	}
	if _, err := runProfile(t, profiles.NewBlock, o, time.Minute); !errors.Is(err, golang.ErrNotCollected) || !strings.Contains(err.Error(), "runtime.SetBlockProfileRate") {
		t.Errorf("block: %v", err)
	}
	o.PIDs = []int{1 << 30}
	if _, err := runProfile(t, profiles.NewHeap, o, time.Minute); !errors.Is(err, profiles.ErrNoGo) {
		t.Errorf("no such process: %v", err)
	}
	native := startWithPipes(t, "/bin/cat")
	if _, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: native.id}, time.Minute); !errors.Is(err, profiles.ErrNoGo) {
		t.Errorf("a program that is not Go: %v", err)
	}
}
