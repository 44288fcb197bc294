//go:build linux

package capture_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// The stack of a running goroutine is unwound from registers while the program's threads are stopped, or else taken
// from a sample. The program continues afterwards.
func TestRunningGoroutines(t *testing.T) {
	need.Root(t)
	p := start(t, buildGo(t, "local", "'-ldflags=-s -w'", "blocks"))
	for _, freeze := range []bool{false, true} {
		// A thread has to get a CPU in time for a sample, or to stop. On a busy machine it gets one in some readings.
		found, readings := 0, 0
		const enough = 8
		for began := time.Now(); found < enough && time.Since(began) < capture.WaitLimit; readings++ {
			got := goroutines(t, capture.Options{ContainerID: p.id, Freeze: freeze})
			stopped := strings.Contains(strings.Join(got.Comments, "\n"), "stopped: process ")
			if stopped != freeze {
				t.Fatalf("freeze %v: %q", freeze, got.Comments)
			}
			for _, s := range got.Sample {
				if stack := names(s); strings.HasSuffix(stack, "main.burn,main.busy,") && s.Label["created by"][0] == "main.main" {
					found++
				}
			}
		}
		if found < enough {
			t.Errorf("freeze %v: the running goroutine was found in %d of %d readings", freeze, found, readings)
		}
		before := cpuTicks(t, p.pid)
		capture.WaitFor(t, fmt.Sprintf("the program to go on (freeze %v)", freeze), func() bool { return cpuTicks(t, p.pid) > before })
	}
}

// cpuTicks returns the CPU time that a process has used, in clock ticks.
func cpuTicks(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

// tracerVariable is the environment variable that makes this test binary stop a process, report that, and wait.
const tracerVariable = "CAPTURE_TEST_STOPS"

func init() {
	pid, err := strconv.Atoi(os.Getenv(tracerVariable))
	if err != nil {
		return
	}
	p, err := proc.Open(pid)
	if err == nil {
		_, err = p.WhileStopped(func(threads map[int]proc.Registers) error {
			fmt.Println("stopped", len(threads))
			time.Sleep(time.Hour)
			return nil
		})
	}
	fmt.Println(err)
	os.Exit(1)
}

// A process whose threads are stopped continues when the process that stopped them is killed.
func TestStoppedProcessOutlivesUs(t *testing.T) {
	need.Root(t)
	p := start(t, buildGo(t, "local", "", "blocks"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tracer := exec.Command(self)
	tracer.Env = append(os.Environ(), tracerVariable+"="+strconv.Itoa(p.pid))
	out, err := tracer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	defer tracer.Process.Kill()
	var threads int
	if _, err := fmt.Fscanf(out, "stopped %d\n", &threads); err != nil || threads < 3 {
		t.Fatalf("%d threads were stopped: %v", threads, err)
	}
	if _, err := goroutinesError(capture.Options{ContainerID: p.id, Freeze: true}); err == nil || !strings.Contains(err.Error(), "debugger") {
		t.Errorf("stopping a process that is already traced: got error %v", err)
	}
	before := cpuTicks(t, p.pid)
	time.Sleep(300 * time.Millisecond)
	if now := cpuTicks(t, p.pid); now != before {
		t.Errorf("the process ran for %d ticks while it was stopped", now-before)
	}
	if err := tracer.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	tracer.Wait()
	capture.WaitFor(t, "the process to go on", func() bool { return cpuTicks(t, p.pid) > before })
	if got := goroutines(t, capture.Options{ContainerID: p.id, Freeze: true}); total(got) < 9 {
		t.Errorf("%d goroutines", total(got))
	}
}

// A process that receives signals and starts threads all the time can be stopped, continues, and loses no signal.
func TestStoppingUnderSignals(t *testing.T) {
	need.Root(t)
	p := start(t, buildGo(t, "local", "", "signalled"))
	var stops atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- sendSignals(p, func() bool { return stops.Load() >= 300 }) }()
	process, err := proc.Open(p.pid)
	if err != nil {
		t.Fatal(err)
	}
	for done := false; !done; {
		select {
		case err := <-ended:
			if done = true; err != nil {
				t.Error(err)
			}
		default:
			// On a busy machine some threads stop too late.
			if stop, err := process.WhileStopped(func(map[int]proc.Registers) error { return nil }); err == nil && stop.Moving == 0 {
				stops.Add(1)
			}
		}
	}
	if got := goroutines(t, capture.Options{ContainerID: p.id, Freeze: true}); total(got) < 3 {
		t.Errorf("%d goroutines: %q", total(got), got.Comments)
	}
}

// sendSignals sends SIGUSR1 and SIGUSR2 in turn to testdata/signalled until enough returns true. A signal is lost if another
// of its kind is pending, so each is to arrive before the next is sent.
func sendSignals(p *target, enough func() bool) error {
	var sent, arrived [2]int
	for i, began := 0, time.Now(); !enough() || arrived != sent; {
		if arrived == sent {
			syscall.Kill(p.pid, []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2}[i])
			sent[i]++
			i = 1 - i
		}
		fmt.Fprintln(p.stdin)
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			return err
		}
		if _, err := fmt.Sscan(line, &arrived[0], &arrived[1]); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		if time.Since(began) > capture.WaitLimit {
			return fmt.Errorf("a signal was lost, or the process could not be stopped often enough: %v sent, %v arrived", sent, arrived)
		}
	}
	return nil
}
