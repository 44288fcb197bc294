package capture_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/symbol"
)

// Of 200 short processes a second no sample is missed without saying so: those in the profile and those
// reported lost are what the CPU time makes. The processes are named, or said to have ended.
func TestForkStorm(t *testing.T) {
	needRoot(t)
	const rate = 200 // processes a second
	program := compileC(t, "testdata/storm.c", "-O2", "-g", "-fno-optimize-sibling-calls")
	for _, c := range []struct {
		name    string
		hz      int
		seconds int
		work    time.Duration // of each process
	}{
		{"at 99 Hz", 99, 5, 2 * time.Millisecond},
		{"at 999 Hz", 999, 10, 2 * time.Millisecond},
		{"processes shorter than a period", 999, 5, 200 * time.Microsecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startStorm(t, program, c.seconds*rate, rate, c.work)
			capturer, err := capture.NewCPU(capture.Options{ContainerID: s.id, Frequency: c.hz})
			if err != nil {
				t.Fatal(err)
			}
			defer capturer.Close()
			ctx, stop := context.WithCancel(t.Context())
			used := make(chan time.Duration, 1)
			go func() {
				used <- s.run(t)
				stop()
			}()
			r, err := capturer.Run(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
				t.Fatal(err)
			}
			var all, exited, forked, executed int64
			for _, sample := range r.Profile.Sample {
				n, stack := sample.Value[0], names(sample)
				all += n
				switch {
				case strings.Contains(stack, capture.ProcessExited):
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
				cpu, want, all, lost, exited, forked, executed, r.Profile.Comments)
			// It is by chance which short processes are met, so their samples are counted like events. On virtual
			// machines an idle CPU's timer is late and then meets what has just begun to run: a few more.
			if got := float64(all) + lost; got < want-3*math.Sqrt(want) || got > 1.15*want+3*math.Sqrt(want) {
				t.Errorf("%d samples and %.0f lost, want %.0f of %v CPU time", all, lost, want, cpu)
			}
			if want := c.work.Seconds() * float64(c.seconds*rate/2*c.hz); float64(forked) < want/2 {
				t.Errorf("%d samples have the whole stack of a process that was forked, want some %.0f", forked, want)
			}
			if said := strings.Contains(strings.Join(r.Profile.Comments, "\n"), "processes that ended before they could be read: "); said != (exited > 0) {
				t.Errorf("%d samples of processes that were gone; said so: %v", exited, said)
			}
		})
	}
}

// storm is a program that will start many others.
type storm struct {
	id     string // of its container
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

func startStorm(t *testing.T, program string, processes, rate int, work time.Duration) *storm {
	t.Helper()
	s := &storm{id: fmt.Sprintf("%064x", time.Now().UnixNano())}
	dir := newCgroup(t, s.id)
	cmd := exec.Command("/bin/sh", "-c", `echo $$ > "$0" && exec "$@"`, dir+"/cgroup.procs",
		program, fmt.Sprint(processes), fmt.Sprint(rate), fmt.Sprint(work.Nanoseconds()))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	s.stdin, s.stdout = stdin, bufio.NewReader(stdout)
	time.Sleep(100 * time.Millisecond) // past its own start
	return s
}

// run lets the storm begin and gives the CPU time that all of its processes used.
func (s *storm) run(t *testing.T) time.Duration {
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
