//go:build linux

package golang

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// running is a running program of testdata/programs.
type running struct {
	pid int
	in  io.Writer
	out *bufio.Scanner
}

// run starts a program and waits until it prints "ready".
func run(t testing.TB, program string, args ...string) *running {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
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
	r := &running{cmd.Process.Pid, in, bufio.NewScanner(out)}
	if !r.out.Scan() || r.out.Text() != "ready" {
		t.Fatalf("the program printed %q instead of \"ready\"", r.out.Text())
	}
	return r
}

// number sends a line to the program and returns the number that it answers.
func (r *running) number(t testing.TB) int {
	t.Helper()
	if _, err := r.in.Write([]byte{'\n'}); err != nil {
		t.Fatalf("the program has ended: %v", err)
	}
	r.out.Scan()
	n, err := strconv.Atoi(r.out.Text())
	if err != nil {
		t.Fatalf("the program printed %q instead of a number", r.out.Text())
	}
	return n
}

// openOne opens the only Go runtime of a process.
func openOne(t testing.TB, pid int) *Runtime {
	t.Helper()
	p, err := proc.Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Open(p)
	if err != nil || len(all) != 1 {
		t.Fatalf("process %d has %d runtimes: %v", pid, len(all), err)
	}
	t.Cleanup(func() { all[0].Close() })
	return all[0]
}

func openGoroutineReader(t testing.TB, pid int) *GoroutineReader {
	t.Helper()
	gs, err := openOne(t, pid).GoroutineReader()
	if err != nil {
		t.Fatal(err)
	}
	return gs
}

// names returns the functions of a stack, leaf first, without inlined ones.
func (gs *GoroutineReader) names(g *Goroutine) string {
	var all []string
	for _, pc := range g.Stack {
		all = append(all, gs.unwind.functionName(pc))
	}
	return strings.Join(all, " ")
}

// Every complete stack read from a program that starts goroutines and moves stacks at full speed is
// one that the program can have, and the program keeps running.
func TestStacksOfChangingGoroutinesAreConsistent(t *testing.T) {
	for _, c := range []struct {
		version, flags string
		readings       int
	}{{"local", "-ldflags=-s -w", 1000}, {"local", "-race", 1000}, {"1.22.12", "-ldflags=-s -w", 200}} {
		t.Run(c.version+c.flags, func(t *testing.T) {
			program := run(t, build(t, c.version, "amd64", "churns", c.flags))
			gs := openGoroutineReader(t, program.pid)
			before := program.number(t)
			seen, ends := 0, map[End]int{}
			for range c.readings {
				err := gs.Each(t.Context(), nil, func(g *Goroutine) {
					seen++
					ends[g.End]++
					if g.End == Complete {
						checkChurning(t, gs.names(g))
					}
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			after := program.number(t)
			t.Logf("%d goroutines in %d passes, stack ends %v, %+v; %d goroutines ended in that time", seen, c.readings, ends, gs.Counts, after-before)
			if seen < 20*c.readings || after <= before {
				t.Errorf("%d goroutines were read, %d ended in that time", seen, after-before)
			}
			if few := seen / 50; ends[Broken] > 0 || ends[Truncated] > 0 || ends[Torn] > few || gs.Bad > few {
				t.Errorf("too many goroutines could not be read")
			}
		})
	}
}

// checkChurning fails the test unless testdata/programs/churns can have the stack.
func checkChurning(t *testing.T, stack string) {
	t.Helper()
	if !strings.HasSuffix(stack, " runtime.goexit") && stack != "runtime.goexit" {
		t.Fatalf("incomplete stack: %s", stack)
	}
	if strings.Contains(stack, "main.ping main.ping") || strings.Contains(stack, "main.pong main.pong") {
		t.Fatalf("impossible stack: %s", stack)
	}
	if i := strings.LastIndex(stack, "main.p"); i >= 0 && !strings.HasPrefix(stack[i:], "main.ping main.turns") {
		t.Fatalf("impossible stack: %s", stack)
	}
}

// A stack deeper than the bound is marked as truncated and contains the innermost frames.
func TestDeepStacks(t *testing.T) {
	program := build(t, "1.26.0", "amd64", "waits")
	for depth, want := range map[string]End{"400": Complete, "600": Truncated, "1000000": Truncated} {
		gs := openGoroutineReader(t, run(t, program, "0", depth).pid)
		found := false
		for began := time.Now(); !found && time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) { // until it waits
			all, err := gs.readAll(t)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range all {
				stack := gs.names(&g)
				if !strings.HasPrefix(stack, "runtime.gopark runtime.chanrecv runtime.chanrecv1 main.wait main.wait") {
					continue
				}
				found = true
				if g.End != want || want == Truncated && len(g.Stack) < 400 {
					t.Errorf("depth %s: %d frames with end %d, want end %d", depth, len(g.Stack), g.End, want)
				}
			}
		}
		if !found {
			t.Errorf("depth %s: goroutine not found", depth)
		}
	}
}
