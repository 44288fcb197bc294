//go:build linux

package capture_test

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/wall"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// recordWall profiles for d and requests slices meanwhile.
func recordWall(t *testing.T, o capture.Options, d time.Duration) (whole *profile.Profile, slices []*profile.Profile) {
	t.Helper()
	return wallUntil(t, o, d, func(*profile.Profile) bool { return false })
}

// wallUntil profiles until done, which is called with each slice, returns true, or the limit has passed.
func wallUntil(t *testing.T, o capture.Options, limit time.Duration, done func(slice *profile.Profile) bool) (whole *profile.Profile, slices []*profile.Profile) {
	t.Helper()
	o.Frequency = 99
	w, err := wall.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	result := make(chan *capture.Result, 1)
	go func() {
		r, err := w.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		result <- r
	}()
	for ctx.Err() == nil {
		time.Sleep(300 * time.Millisecond)
		s, err := w.Slice()
		if err != nil {
			t.Fatal(err)
		}
		if s == nil {
			continue
		}
		if err := symbol.Symbolize(s.Profile, s.File, s.PerfMap); err != nil {
			t.Fatal(err)
		}
		slice := s.Profile.Compact().Copy()
		slices = append(slices, slice)
		if done(slice) {
			cancel()
		}
	}
	r := <-result
	if r == nil {
		t.FailNow()
	}
	if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
		t.Fatal(err)
	}
	return r.Profile, slices
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
			p := start(t, buildGo(t, "local", flags, "blocks"))
			const d = 4 * time.Second
			got, slices := recordWall(t, capture.Options{ContainerID: p.id}, d)
			t.Logf("%q", got.Comments)
			all := time.Duration(got.DurationNanos)
			// On a busy machine a goroutine often loses its CPU before its thread is sampled.
			withoutStack := timeAt(got, "[running]", "")
			for _, c := range []struct {
				function, state string
				want            float64 // share of the time
				off             float64 // tolerance
			}{
				{"main.sleeper", "sleep", 5, 0.2}, {"main.locked", "sync.Mutex.Lock", 1, 0.05}, {"main.reads", "IO wait", 1, 0.05},
				{"main.busy", "", 1, 0.2}, {"main.burn", "", 1.5, 0.4}, {"main.half", "", 1, 0.2}, {"main.half", "sleep", 0.4, 0.3},
				{"main.main", "syscall", 1, 0.05},
			} {
				share := float64(timeAt(got, c.function, c.state)) / float64(all)
				if c.state == "" && share < c.want {
					share = min(share+float64(withoutStack)/float64(all), c.want)
				}
				if math.Abs(share-c.want) > c.off {
					t.Errorf("%s [%s] has %.2f times the time, want %.2f", c.function, c.state, share, c.want)
				}
			}
			if with := timeAt(got, "main.burn", ""); withoutStack > with/2 {
				t.Errorf("%v of running goroutines without a stack, %v with one", withoutStack, with)
			}
			merged, err := profile.Merge(slices)
			if err != nil {
				t.Fatal(err)
			}
			if whole, parts := timeAt(got, "main.sleeper", ""), timeAt(merged, "main.sleeper", ""); len(slices) < 5 || parts > whole || parts < whole*3/4 {
				t.Errorf("%d slices have %v of %v", len(slices), parts, whole)
			}
		})
	}
}

// Programs that are not Go are sampled by thread, into the same profile.
func TestWallOfGoAndOthers(t *testing.T) {
	need.Root(t)
	p := start(t, buildGo(t, "local", "", "blocks"))
	sleep := exec.Command("/bin/sh", "-c", `echo $$ > "$0" && exec sleep 60`, p.cgroup+"/cgroup.procs")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleep.Wait()
	defer sleep.Process.Kill()
	time.Sleep(200 * time.Millisecond)
	got, _ := recordWall(t, capture.Options{ContainerID: p.id}, 3*time.Second)
	var slept time.Duration
	for _, s := range got.Sample {
		if s.Label["process"][0] == "sleep" {
			slept += time.Duration(s.Value[1])
		}
	}
	all := time.Duration(got.DurationNanos)
	if slept < all*8/10 || slept > all*11/10 {
		t.Errorf("the other program has %v of %v: %q", slept, all, got.Comments)
	}
	if n := timeAt(got, "main.sleeper", "sleep"); n < 5*all*9/10 || n > 5*all*11/10 {
		t.Errorf("5 goroutines have %v of %v each", n, all)
	}
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
				other := exec.Command("/bin/sh", "-c", `echo $$ > "$0" && exec sleep 1000`, p.cgroup+"/cgroup.procs")
				if err := other.Start(); err != nil {
					t.Fatal(err)
				}
				defer other.Wait()
				defer other.Process.Kill()
				time.Sleep(200 * time.Millisecond)
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
			got, _ := wallUntil(t, capture.Options{ContainerID: p.id}, capture.WaitLimit, func(slice *profile.Profile) bool {
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

// A Go program that starts during the profile is included. A program that exits keeps its samples.
func TestWallOfStartingAndExitingProcesses(t *testing.T) {
	need.Root(t)
	program := buildGo(t, "local", "", "blocks")
	p := start(t, program)
	late := exec.Command("/bin/sh", "-c", `sleep 1; echo $$ > "$0" && exec "$1"`, p.cgroup+"/cgroup.procs", program)
	if _, err := late.StdinPipe(); err != nil { // makes it wait
		t.Fatal(err)
	}
	if err := late.Start(); err != nil {
		t.Fatal(err)
	}
	defer late.Wait()
	defer late.Process.Kill()
	time.AfterFunc(2*time.Second, func() { syscall.Kill(p.pid, syscall.SIGKILL) })
	got, _ := recordWall(t, capture.Options{ContainerID: p.id}, 6*time.Second)
	byPID := map[int64]time.Duration{}
	for _, s := range got.Sample {
		if strings.Contains(names(s), "main.sleeper,") {
			byPID[s.NumLabel["pid"][0]] += time.Duration(s.Value[1]) / 5
		}
	}
	if first, second := byPID[int64(p.pid)], byPID[int64(late.Process.Pid)]; first < time.Second || first > 5*time.Second/2 || second < time.Second || second > 5*time.Second {
		t.Errorf("the first program has %v, the second %v: %q", first, second, got.Comments)
	}
}
