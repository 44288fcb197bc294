//go:build linux

package capture_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// command sends a command to goplain, and returns its runtime.MemProfileRate afterwards.
func (s *target) command(t *testing.T, what string) (rate int) {
	t.Helper()
	fmt.Fprintln(s.stdin, what)
	line, err := s.stdout.ReadString('\n')
	if _, scanErr := fmt.Sscan(line, &rate); scanErr != nil {
		t.Fatalf("the program printed %q (%v)", line, err)
	}
	return rate
}

func (s *target) expectRate(t *testing.T, want int) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		rate := s.command(t, "")
		if rate == want {
			return
		}
		if time.Since(began) > capture.WaitLimit {
			t.Fatalf("runtime.MemProfileRate is %d, want %d", rate, want)
		}
	}
}

// sumOf returns the sum of the values of a sample type over the stacks with the given leaf function.
func sumOf(p *profile.Profile, typ, leaf string) (sum int64) {
	i := slices.IndexFunc(p.SampleType, func(v *profile.ValueType) bool { return v.Type == typ })
	for _, s := range p.Sample {
		if strings.HasPrefix(names(s), leaf+",") {
			sum += s.Value[i]
		}
	}
	return sum
}

func expectNear(t *testing.T, what string, got, want int64, share float64) {
	t.Helper()
	if math.Abs(float64(got-want)) > share*float64(want) {
		t.Errorf("%s: %d, want %d within %.0f %%", what, got, want, 100*share)
	} else {
		t.Logf("%s: %d, want %d", what, got, want)
	}
}

// switchedBuilds are versions of Go that sample allocations differently.
var switchedBuilds = []struct{ version, flags string }{
	{"go1.18.10", "-ldflags=-s"}, {"go1.19.13", "-ldflags=-s"}, {"go1.20.14", "-ldflags=-s"}, {"go1.23.12", "-ldflags=-s"}, {"go1.25.7", "-ldflags=-s -buildmode=pie"}, {"local", "-ldflags=-s"}, {"local", "-race -ldflags=-s"},
	{"go1.27.3", "-ldflags=-s"},
}

// With its memory profile turned on for the capture, the profile of a program without one has the right stacks and
// amounts. Afterwards the memory profile is off again.
func TestEnableMemProfile(t *testing.T) {
	need.Root(t)
	builds := switchedBuilds
	if testing.Short() {
		builds = builds[3:4]
	}
	for _, b := range builds {
		t.Run(b.version+b.flags, func(t *testing.T) {
			program := buildGo(t, b.version, b.flags, "goplain")
			s := start(t, program)
			o := capture.Options{ContainerID: s.id, EnableMemProfile: true, MemProfileRate: 4096}
			t.Run("allocs", func(t *testing.T) {
				p := s.profileWhile(t, profiles.NewAllocs, o, "churn")
				expectNear(t, "bytes of one", sumOf(p, "alloc_space", "main.one"), 1_024_000_000, 0.05)
				expectNear(t, "bytes of two", sumOf(p, "alloc_space", "main.two"), 64_000_000, 0.05)
				expectNear(t, "objects of two", sumOf(p, "alloc_objects", "main.two"), 1_000_000, 0.05)
				if !slices.ContainsFunc(p.Comments, func(c string) bool { return strings.Contains(c, "turned on by kubectl pprof") }) {
					t.Errorf("no comment reports that the profile was turned on: %q", p.Comments)
				}
			})
			t.Run("heap", func(t *testing.T) {
				p := s.profileWhile(t, profiles.NewHeap, o, "hold")
				expectNear(t, "bytes held", sumOf(p, "inuse_space", "main.hold"), 1000<<16, 0.01)
			})
		})
	}
}

// profileWhile profiles a program while it executes a command.
func (s *target) profileWhile(t *testing.T, prepare func(capture.Options) (*profiles.Memory, error), o capture.Options, what string) *profile.Profile {
	t.Helper()
	c, err := prepare(o)
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
	s.expectRate(t, o.MemProfileRate)
	s.command(t, what)
	stop()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	s.expectRate(t, 0)
	return symbolize(t, r)
}

// waitForSlice waits until a capture has begun.
func waitForSlice(t *testing.T, c *profiles.Memory) {
	t.Helper()
	capture.WaitFor(t, "a slice", func() bool {
		slice, err := c.Slice()
		if err != nil {
			t.Fatal(err)
		}
		return slice != nil
	})
}

// The old rate is restored when a capture is stopped or aborted, and when the profiler is killed.
func TestMemProfileIsTurnedOffAgain(t *testing.T) {
	need.Root(t)
	s := start(t, buildGo(t, "local", "-ldflags=-s", "goplain"))
	o := capture.Options{ContainerID: s.id, EnableMemProfile: true, MemProfileRate: 4096}
	t.Run("stopped", func(t *testing.T) {
		c, err := profiles.NewAllocs(o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := c.Run(ctx)
			done <- err
		}()
		s.expectRate(t, 4096)
		waitForSlice(t, c)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		c.Close()
		s.expectRate(t, 0)
	})
	t.Run("the last of two", func(t *testing.T) {
		var stops []context.CancelFunc
		var ended []chan error
		for _, prepare := range []func(capture.Options) (*profiles.Memory, error){profiles.NewHeap, profiles.NewAllocs} {
			c, err := prepare(o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := c.Run(ctx)
				done <- errors.Join(err, c.Close())
			}()
			waitForSlice(t, c)
			s.expectRate(t, 4096)
			stops, ended = append(stops, stop), append(ended, done)
		}
		for i, rate := range []int{4096, 0} {
			stops[i]()
			if err := <-ended[i]; err != nil {
				t.Error(err)
			}
			s.expectRate(t, rate)
		}
	})
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", s.id)
			cmd.Env = append(os.Environ(), "CAPTURE_TEST_TARGET=enable")
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			s.expectRate(t, 4096)
			if err := cmd.Process.Signal(signal); err != nil {
				t.Error(err)
			}
			cmd.Wait()
			s.expectRate(t, 0)
		})
	}
}
