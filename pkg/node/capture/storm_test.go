//go:build linux

package capture_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// With 200 short processes per second every lost sample is reported: the samples in the profile and the lost ones
// account for the CPU time. Processes are symbolized or reported as exited.
func TestForkStorm(t *testing.T) {
	need.Root(t)
	const rate = 200 // processes per second
	program := compileC(t, "testdata/storm.c", "-O2", "-g", "-fno-optimize-sibling-calls")
	for _, c := range []struct {
		name    string
		hz      int
		seconds int
		work    time.Duration // CPU time of each process
	}{
		{"at 99 Hz", 99, 5, 2 * time.Millisecond},
		{"at 999 Hz", 999, 10, 2 * time.Millisecond},
		{"processes shorter than a period", 999, 5, 200 * time.Microsecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startWithPipes(t, program, fmt.Sprint(c.seconds*rate), fmt.Sprint(rate), fmt.Sprint(c.work.Nanoseconds()))
			s.waitForThreads(t, "storm") // it has mapped its libraries, which its children inherit
			capturer, err := sampling.NewCPU(capture.Options{ContainerID: s.id, Frequency: c.hz})
			if err != nil {
				t.Fatal(err)
			}
			defer capturer.Close()
			ctx, stop := context.WithCancel(t.Context())
			used := make(chan time.Duration, 1)
			go func() {
				used <- runStorm(t, s)
				stop()
			}()
			r, err := capturer.Run(ctx)
			if err != nil {
				t.Fatal(err)
			}
			p := symbolize(t, r)
			var all, exited, forked, executed int64
			for _, sample := range p.Sample {
				n, stack := sample.Value[0], names(sample)
				all += n
				switch {
				case strings.Contains(stack, builder.ProcessExited):
					exited += n
				case strings.Contains(stack, "burn,burn_forked,main,"):
					forked += n
				case strings.Contains(stack, "burn,burn_executed,main,"):
					executed += n
				}
			}
			lost := float64(capturer.Progress().Lost)
			cpu := <-used
			want := cpu.Seconds() * float64(c.hz)
			t.Logf("%v CPU time: %.0f samples expected, %d came, %.0f lost; %d of processes gone, %d burn_forked, %d burn_executed; %q",
				cpu, want, all, lost, exited, forked, executed, p.Comments)
			// The samples of short processes are random, with the deviation of counted events. On virtual machines an idle
			// CPU's timer is late and then hits a process that has just started, which adds a few samples.
			if got := float64(all) + lost; got < want-4*math.Sqrt(want) || got > 1.3*want+4*math.Sqrt(want) {
				t.Errorf("%d samples and %.0f lost, want %.0f of %v CPU time", all, lost, want, cpu)
			}
			// On a busy machine the shortest processes exit before they can be read.
			if want := c.work.Seconds() * float64(c.seconds*rate/2*c.hz); c.work > time.Millisecond && float64(forked) < want/2 {
				t.Errorf("%d samples have the complete stack of a forked process, want about %.0f", forked, want)
			}
			if said := strings.Contains(strings.Join(p.Comments, "\n"), "processes that ended before they could be read: "); said != (exited > 0) {
				t.Errorf("%d samples of exited processes; reported in a comment: %v", exited, said)
			}
		})
	}
}

// runStorm starts the storm and returns the CPU time of all its processes.
func runStorm(t *testing.T, s *target) time.Duration {
	if _, err := io.WriteString(s.stdin, "begin\n"); err != nil {
		t.Error(err)
	}
	line, err := s.stdout.ReadString('\n')
	if err != nil {
		t.Error(err)
	}
	var ns int64
	if _, err := fmt.Sscan(line, &ns); err != nil {
		t.Errorf("CPU time %q: %v", line, err)
	}
	return time.Duration(ns)
}
