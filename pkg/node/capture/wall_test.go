//go:build linux

package capture_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/wall"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// wallUntil profiles until done, which is called with each slice, returns true, or for capture.WaitLimit.
func wallUntil(t *testing.T, o capture.Options, done func(slice *profile.Profile) bool) (whole *profile.Profile, slices []*profile.Profile) {
	t.Helper()
	o.Frequency = 99
	w, err := wall.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return runUntil(t, w, capture.WaitLimit, done)
}

// wallUntilRight profiles for at least d, and then until wrong finds nothing in the sum of the slices so far; it reports an
// error if that does not happen. A busy machine stops the program, or the profiler between two readings, so that shares of
// the time may be right only in a longer profile.
func wallUntilRight(
	t *testing.T, o capture.Options, d time.Duration, wrong func(*profile.Profile) string,
) (whole, sum *profile.Profile, slices int) {
	t.Helper()
	last := "there are no slices"
	whole, all := wallUntil(t, o, func(slice *profile.Profile) bool {
		sum = merge(t, sum, slice)
		last = wrong(sum)
		return last == "" && time.Duration(sum.DurationNanos) >= d
	})
	if last != "" {
		t.Errorf("%s; %q", last, whole.Comments)
	}
	return whole, sum, len(all)
}

// startBlocks starts testdata/blocks and waits until all of its goroutines wait that do nothing else.
func startBlocks(t *testing.T, flags string) *target {
	t.Helper()
	p := start(t, buildGo(t, "local", flags, "blocks"))
	capture.WaitFor(t, "the goroutines to wait", func() bool {
		waiting := map[string]int64{}
		for _, s := range goroutines(t, capture.Options{ContainerID: p.id}).Sample {
			for _, function := range []string{"main.sleeper", "main.locked", "main.reads", "main.main"} {
				if state := label(s, "state"); strings.Contains(names(s), function+",") && (state == "waiting" || state == "syscall") {
					waiting[function] += s.Value[0]
				}
			}
		}
		return maps.Equal(waiting, map[string]int64{"main.sleeper": 5, "main.locked": 1, "main.reads": 1, "main.main": 1})
	})
	return p
}

// timeAt returns the total time of the stacks with a function and, unless state is empty, that state or wait reason.
func timeAt(p *profile.Profile, function, state string) (total time.Duration) {
	for _, s := range p.Sample {
		if state != "" && strings.Join(s.Label["state"], "") != state && strings.Join(s.Label["wait reason"], "") != state {
			continue
		}
		if strings.Contains(","+names(s), ","+function+",") {
			total += time.Duration(s.Value[1])
		}
	}
	return total
}

func TestWallOfGo(t *testing.T) {
	need.Root(t)
	for _, flags := range []string{"'-ldflags=-s -w'", "-race"} {
		t.Run(flags, func(t *testing.T) {
			p := startBlocks(t, flags)
			got, sum, slices := wallUntilRight(t, capture.Options{ContainerID: p.id}, 4*time.Second, wrongSharesOfBlocks)
			// What came after the last slice is in none.
			whole, parts := timeAt(got, "main.sleeper", ""), timeAt(sum, "main.sleeper", "")
			if slices < 5 || parts > whole || parts < whole/2 || whole > 5*time.Duration(got.DurationNanos) {
				t.Errorf("%d slices have %v of %v, in %v", slices, parts, whole, time.Duration(got.DurationNanos))
			}
		})
	}
}

// wrongSharesOfBlocks returns what is wrong with a profile of testdata/blocks, or "".
func wrongSharesOfBlocks(p *profile.Profile) string {
	var wrong []string
	all := time.Duration(p.DurationNanos)
	// On a busy machine a goroutine often loses its CPU before its thread is sampled.
	withoutStack := timeAt(p, builder.RunningGoroutine, "")
	for _, c := range []struct {
		function, state string
		want            float64 // share of the time
		off             float64 // tolerance
	}{
		{"main.sleeper", "sleep", 5, 0.2}, {"main.locked", "sync.Mutex.Lock", 1, 0.05}, {"main.reads", "IO wait", 1, 0.05},
		{"main.busy", "", 1, 0.2}, {"main.burn", "", 1.5, 0.4}, {"main.half", "", 1, 0.2}, {"main.half", "sleep", 0.4, 0.3},
		{"main.main", "syscall", 1, 0.05},
	} {
		share := float64(timeAt(p, c.function, c.state)) / float64(all)
		if c.state == "" && share < c.want {
			share = min(share+float64(withoutStack)/float64(all), c.want)
		}
		if math.Abs(share-c.want) > c.off {
			wrong = append(wrong, fmt.Sprintf("%s [%s] has %.2f times the time, want %.2f", c.function, c.state, share, c.want))
		}
	}
	if with := timeAt(p, "main.burn", ""); withoutStack > with/2 {
		wrong = append(wrong, fmt.Sprintf("%v of running goroutines without a stack, %v with one", withoutStack, with))
	}
	return strings.Join(wrong, "; ")
}

// startSleep starts a program in the cgroup of another and waits until it is executed.
func startSleep(t *testing.T, p *target) {
	t.Helper()
	sleep := exec.Command("/bin/sh", "-c", `echo $$ > "$0" && exec sleep 1000`, p.cgroup+"/cgroup.procs")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sleep.Process.Kill()
		sleep.Wait()
	})
	capture.WaitFor(t, "sleep to start", func() bool {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", sleep.Process.Pid))
		return string(name) == "sleep\n"
	})
}

// Programs that are not Go are sampled by thread, into the same profile.
func TestWallOfGoAndOthers(t *testing.T) {
	need.Root(t)
	p := startBlocks(t, "")
	startSleep(t, p)
	wallUntilRight(t, capture.Options{ContainerID: p.id}, 3*time.Second, func(p *profile.Profile) string {
		var slept time.Duration
		for _, s := range p.Sample {
			if label(s, "process") == "sleep" {
				slept += time.Duration(s.Value[1])
			}
		}
		all, n := time.Duration(p.DurationNanos), timeAt(p, "main.sleeper", "sleep")
		if slept < all*8/10 || slept > all*11/10 || n < 5*all*9/10 || n > 5*all*11/10 {
			return fmt.Sprintf("in %v the other program has %v, 5 goroutines have %v", all, slept, n)
		}
		return ""
	})
}

// A process that executes another program is then read as the new program: by goroutine or, next to programs that are not
// Go, by thread.
func TestWallAfterExec(t *testing.T) {
	need.Root(t)
	program := buildGo(t, "local", "", "blocks")
	for _, among := range []string{"Go programs", "others"} {
		t.Run(among, func(t *testing.T) {
			p := start(t, buildGo(t, "local", "", "parks"), "10")
			if among == "others" {
				startSleep(t, p)
			}
			const wantBefore, wantAfter = time.Second, 2 * time.Second
			// times adds up the time of the first program's stacks, of the second's, and of stacks that have the first
			// one's functions under the name of the second.
			times := func(p *profile.Profile) (before, after, wrong time.Duration) {
				for _, s := range p.Sample {
					at := time.Duration(s.Value[1])
					switch stack := names(s); {
					case strings.Contains(stack, "main.deep,"):
						before += at
					case !strings.Contains(stack, "main.") || label(s, "process") != "blocks":
					case strings.Contains(stack, "main.deep") || strings.Contains(stack, "main.inlined"):
						wrong += at
					default:
						after += at
					}
				}
				return before, after, wrong
			}
			executed := false
			var seenBefore, seenAfter time.Duration // in slices
			got, _ := wallUntil(t, capture.Options{ContainerID: p.id}, func(slice *profile.Profile) bool {
				before, after, _ := times(slice)
				seenBefore, seenAfter = seenBefore+before, seenAfter+after
				if !executed && seenBefore >= wantBefore {
					executed = true
					fmt.Fprintln(p.stdin, "exec "+program)
				}
				return seenAfter >= wantAfter
			})
			before, after, wrong := times(got)
			if before < wantBefore || after < wantAfter || wrong > 0 {
				t.Errorf("%v before, %v after, %v of the one under the name of the other: %q", before, after, wrong, got.Comments)
				logSamples(t, got)
			}
		})
	}
}

// A Go program that starts during the profile is included. A program that exits keeps its samples, and gets no more.
func TestWallOfStartingAndExitingProcesses(t *testing.T) {
	need.Root(t)
	program := buildGo(t, "local", "", "blocks")
	first := start(t, program)
	second := exec.Command("/bin/sh", "-c", `echo $$ > "$0" && exec "$1"`, first.cgroup+"/cgroup.procs", program)
	if _, err := second.StdinPipe(); err != nil { // makes it wait
		t.Fatal(err)
	}
	started := false
	defer func() {
		if started {
			second.Process.Kill()
			second.Wait()
		}
	}()
	// slept returns how long each sleeping goroutine of the two programs has slept.
	slept := func(p *profile.Profile) (one, two time.Duration) {
		for _, s := range p.Sample {
			switch pid := s.NumLabel["pid"][0]; {
			case !strings.Contains(names(s), "main.sleeper,"):
			case pid == int64(first.pid):
				one += time.Duration(s.Value[1]) / 5
			case started && pid == int64(second.Process.Pid):
				two += time.Duration(s.Value[1]) / 5
			}
		}
		return one, two
	}
	const enough = time.Second
	var lived, one, two, after time.Duration // the latter in slices; after is what the second has since the first was killed
	began := time.Now()
	got, _ := wallUntil(t, capture.Options{ContainerID: first.id}, func(slice *profile.Profile) bool {
		more, late := slept(slice)
		one, two = one+more, two+late
		switch {
		case !started && one >= enough:
			if err := second.Start(); err != nil {
				t.Fatal(err)
			}
			started = true
		case lived == 0 && two >= enough:
			first.kill(t)
			lived = time.Since(began)
		case lived > 0:
			after += late
		}
		return after >= enough
	})
	one, two = slept(got)
	if one < enough || one > lived || two < 2*enough || two > time.Duration(got.DurationNanos) {
		t.Errorf("the first program has %v of %v at most, the second %v: %q", one, lived, two, got.Comments)
	}
}
