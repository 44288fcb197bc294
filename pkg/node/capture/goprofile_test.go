//go:build linux

package capture_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// valuesByStack sums values by stack, with line numbers, and by object size if the samples have one.
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

// compare reports stacks whose values differ by more than share. Values of stacks in only one profile must be zero.
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
		t.Errorf("only %d stacks to compare", len(w))
	}
	t.Logf("%d stacks, %d of them in the program's own profile; %d values differ", len(all), len(w), bad)
}

// useFrequencyOf multiplies the delays of got by the factor by which those of want differ in all.
// Both sides measure the frequency of the CPU's counter. A Go program does so once, over as little
// as 5 ms (ticksPerSecond in runtime/runtime.go), so its own delays may all be wrong by some percent.
func useFrequencyOf(t *testing.T, got, want *profile.Profile) {
	t.Helper()
	const delay = 1 // the index of the value, behind contentions
	sum := func(p *profile.Profile) (n float64) {
		for _, s := range p.Sample {
			n += float64(s.Value[delay])
		}
		return n
	}
	factor := sum(want) / sum(got)
	if !(math.Abs(factor-1) < 0.05) {
		t.Errorf("all delays together are %v of those in the program's own profile", 1/factor)
	}
	for _, s := range got.Sample {
		s.Value[delay] = int64(math.Round(float64(s.Value[delay]) * factor))
	}
}

// keepStacks removes all samples whose stacks do not have the given frames.
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

// goBuilds are the tested versions of Go with build flags. Every other build is stripped.
var goBuilds = []struct{ version, flags string }{
	{"go1.18.10", "-ldflags=-s"}, {"go1.19.13", "-ldflags=-s -buildmode=pie"}, {"go1.20.14", "-ldflags=-s"}, {"go1.21.13", "-ldflags=-w"}, {"go1.22.12", "-ldflags=-s"}, {"go1.23.12", "-ldflags=-s"},
	{"go1.24.13", "-ldflags=-w"}, {"go1.25.7", "-ldflags=-s -buildmode=pie"}, {"local", "-ldflags=-s"}, {"local", "-buildmode=pie"}, {"local", "-race -ldflags=-s"},
	{"local", "'-gcflags=all=-N -l' -ldflags=-s"},
	{"go1.27.3", "-ldflags=-s -buildmode=pie"},
}

// scaledLater are the versions in which runtime/pprof scales a mutex profile by the fraction that is
// set when it is written.
var scaledLater = []string{"go1.18.10", "go1.19.13"}

// The profiles equal those that the program itself writes with runtime/pprof, for each stack.
func TestGoProfiles(t *testing.T) {
	need.Root(t)
	builds := goBuilds
	if testing.Short() {
		builds = builds[8:9]
	}
	for _, b := range builds {
		t.Run(b.version+b.flags, func(t *testing.T) {
			program := buildGo(t, b.version, b.flags, "goprofiles")
			for _, workload := range []string{"quiet", "nogc"} {
				t.Run("heap/"+workload, func(t *testing.T) {
					s := start(t, program, workload)
					got, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute)
					if err != nil {
						t.Fatal(err)
					}
					if got.DefaultSampleType != "inuse_space" {
						t.Errorf("the default type is %s", got.DefaultSampleType)
					}
					want := s.ask(t, "heap")
					if workload == "nogc" { // the profiles include the allocations of the request itself
						keepStacks(got, "main.allocate,")
						keepStacks(want, "main.allocate,")
					}
					compare(t, got, want, 0)
				})
			}
			t.Run("waits", func(t *testing.T) {
				workload := "waits"
				if slices.Contains(scaledLater, b.version) {
					workload = "sampled"
				}
				s := start(t, program, workload)
				for name, make := range map[string]func(capture.Options) (*profiles.Contention, error){"mutex": profiles.NewMutex, "block": profiles.NewBlock} {
					got, err := runProfile(t, make, capture.Options{ContainerID: s.id}, time.Minute)
					if err != nil {
						t.Fatal(err)
					}
					want := s.ask(t, name)
					useFrequencyOf(t, got, want)
					compare(t, got, want, 0.001)
				}
			})
		})
	}
}

// CAP_SYS_PTRACE is the only capability that reading memory requires.
func TestGoProfilesWithOneCapability(t *testing.T) {
	need.Root(t)
	s := start(t, buildGo(t, "local", "-ldflags=-s", "goprofiles"), "quiet")
	for set, want := range map[string]string{"-all,+sys_ptrace": "<nil>", "-all": "CAP_SYS_PTRACE"} {
		cmd := exec.Command("setpriv", "--bounding-set="+set, "--inh-caps=-all", os.Args[0], s.id)
		cmd.Env = append(os.Environ(), "CAPTURE_TEST_TARGET=heap")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("with the capabilities %s: %v, %s; want %s", set, err, out, want)
		}
	}
}

// The allocations of a busy program lie, for each stack, between those that it reports before and after the profile.
func TestHeapOfABusyProgram(t *testing.T) {
	need.Root(t)
	s := start(t, buildGo(t, "local", "-ldflags=-s", "goprofiles"), "busy")
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
		for i := range 2 { // allocated objects and bytes never decrease
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

// The profile of a program that exits contains its allocations up to the last slice, and the slices add up to it.
func TestAllocsOfExitingProgram(t *testing.T) {
	need.Root(t)
	s := start(t, buildGo(t, "local", "-ldflags=-s", "goprofiles"), "busy")
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
	for began := time.Now(); made < 3 && time.Since(began) < capture.WaitLimit; time.Sleep(100 * time.Millisecond) {
		slice, err := c.Slice()
		if err != nil {
			t.Fatal(err)
		}
		if slice != nil {
			inSlices += sum(slice.Profile)
			made++
		}
	}
	s.kill(t)
	stop()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	// Each slice is scaled and rounded separately.
	if total := sum(r.Profile); total < 1<<20 || math.Abs(float64(total-inSlices)) > 1e-3*float64(total) {
		t.Errorf("%d bytes in the profile, %d in its slices", total, inSlices)
	}
	if !strings.Contains(strings.Join(r.Profile.Comments, "\n"), "has ended") {
		t.Errorf("no comment reports that the program has exited: %q", r.Profile.Comments)
	}
}

// A profile that the program does not collect is an error that names how to enable it.
func TestDisabledGoProfiles(t *testing.T) {
	need.Root(t)
	s := start(t, buildGo(t, "local", "-ldflags=-s", "goplain"))
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
