//go:build linux

package capture_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// goroutines profiles a container's goroutines.
func goroutines(t testing.TB, o capture.Options) *profile.Profile {
	t.Helper()
	p, err := goroutinesError(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func goroutinesError(o capture.Options) (*profile.Profile, error) {
	c, err := profiles.NewGoroutines(o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r, err := c.Run(context.Background())
	if err != nil {
		return nil, err
	}
	return r.Profile, symbol.Symbolize(r.Profile, r.File, r.PerfMap)
}

// startParked starts a program and waits until none of its goroutines does anything.
func startParked(t *testing.T, program string, args ...string) *target {
	t.Helper()
	p := start(t, program, args...)
	capture.WaitFor(t, "the goroutines to wait", func() bool {
		for _, s := range goroutines(t, capture.Options{ContainerID: p.id}).Sample {
			if state := label(s, "state"); state != "waiting" && state != "syscall" {
				return false
			}
		}
		return true
	})
	return p
}

// atStacks counts goroutines by stack, leaf first with frames as function:line, and by the given labels.
func atStacks(p *profile.Profile, keys ...string) map[string]int64 {
	all := map[string]int64{}
	for _, s := range p.Sample {
		var b strings.Builder
		for _, l := range s.Location {
			for _, line := range l.Line {
				fmt.Fprintf(&b, "%s:%d ", line.Function.Name, line.Line)
			}
		}
		for _, key := range keys {
			if v := s.Label[key]; len(v) > 0 {
				fmt.Fprintf(&b, " %s=%s", key, v)
			}
		}
		all[b.String()] += s.Value[0]
	}
	return all
}

// compareStacks compares counts by stack. It ignores the goroutine that writes the program's own profile.
func compareStacks(t *testing.T, got, want map[string]int64) {
	t.Helper()
	for _, stacks := range []map[string]int64{got, want} {
		for stack := range stacks {
			if strings.Contains(stack, "main.main:") && strings.Contains(stack, "runtime.main:") {
				delete(stacks, stack)
			}
		}
	}
	for stack, n := range want {
		if got[stack] != n {
			t.Errorf("%d goroutines, want %d, at %s", got[stack], n, stack)
		}
	}
	for stack, n := range got {
		if want[stack] == 0 {
			t.Errorf("%d goroutines that are not in the program's own profile at %s", n, stack)
		}
	}
}

// labelsOfParks are the labels of goroutines in testdata/parks.
func labelsOfParks() []string {
	keys := []string{"path", "user", "inner"}
	for i := range 40 {
		keys = append(keys, fmt.Sprint("key", i))
	}
	return keys
}

// The number of goroutines at each stack and their labels equal those in the program's own profile.
func TestGoroutinesMatchRuntimePprof(t *testing.T) {
	need.Root(t)
	versions := goVersions
	if testing.Short() {
		versions = versions[len(versions)-1:]
	}
	versions = append(slices.Clone(versions), struct{ name, flags string }{"local", "'-ldflags=-s -w'"},
		struct{ name, flags string }{"local", "-race"}, struct{ name, flags string }{"local", "'-ldflags=-s -w' -buildmode=pie"},
		struct{ name, flags string }{"go1.21.13", "'-ldflags=-s -w'"})
	for _, version := range versions {
		t.Run(version.name+version.flags, func(t *testing.T) {
			p := startParked(t, buildGo(t, version.name, version.flags, "parks"), "100")
			for _, freeze := range []bool{false, true} {
				got := goroutines(t, capture.Options{ContainerID: p.id, Freeze: freeze})
				compareStacks(t, atStacks(got, labelsOfParks()...), atStacks(p.own(t), labelsOfParks()...))
				if t.Failed() {
					t.Log(got.Comments)
				}
			}
		})
	}
}

// A process may execute another program after it was found and before its goroutines are read.
func TestGoroutinesAfterExec(t *testing.T) {
	need.Root(t)
	p := start(t, buildGo(t, "local", "", "parks"), "10")
	c, err := profiles.NewGoroutines(capture.Options{ContainerID: p.id})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(p.stdin, "exec /bin/sleep")
	capture.WaitFor(t, "the program to execute another", func() bool {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.pid))
		return string(name) == "sleep\n"
	})
	if r, err := c.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "has executed another program") {
		t.Errorf("%v: %v", r, err)
	}
}

// The stacks of goroutines with calls from Go to C and from C to Go equal those in the program's own profile.
func TestGoroutinesInC(t *testing.T) {
	need.Root(t)
	for _, version := range []string{"local", "go1.21.13"} {
		p := startParked(t, buildGo(t, version, "", "cgoparks"))
		for _, freeze := range []bool{false, true} {
			got := atStacks(goroutines(t, capture.Options{ContainerID: p.id, Freeze: freeze}))
			if compareStacks(t, got, atStacks(p.own(t))); len(got) < 3 {
				t.Errorf("%s: %v", version, got)
			}
		}
	}
}

func TestManyGoroutines(t *testing.T) {
	need.Root(t)
	program := buildGo(t, "local", "'-ldflags=-s -w'", "parks")
	for _, n := range []int{10, 10_000, 100_000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			p := startParked(t, program, strconv.Itoa(n))
			began := time.Now()
			got := goroutines(t, capture.Options{ContainerID: p.id})
			t.Logf("%d goroutines, named, in %v: %q", n, time.Since(began), got.Comments)
			compareStacks(t, atStacks(got), atStacks(p.own(t)))
			began = time.Now()
			got = goroutines(t, capture.Options{ContainerID: p.id, Freeze: true, ByGoroutine: true})
			t.Logf("%d goroutines stopped and apart, named, in %v: %q", n, time.Since(began), got.Comments)
			compareStacks(t, atStacks(got), atStacks(p.own(t)))
		})
	}
}

// goStatement reports whether a line of a file has a go statement.
func goStatement(at string) bool {
	path, line, _ := strings.Cut(at, ":")
	text, err := os.ReadFile(path)
	n, _ := strconv.Atoi(line)
	lines := strings.Split(string(text), "\n")
	return err == nil && n > 0 && n <= len(lines) && strings.Contains(lines[n-1], "go ")
}

// Labels describe the state and the creator of goroutines. Profiled individually, goroutines can be printed as a
// traceback.
func TestGoroutineDetails(t *testing.T) {
	need.Root(t)
	p := startParked(t, buildGo(t, "local", "'-ldflags=-s -w'", "parks"), "10")
	reasons := map[string]int64{}
	for _, s := range goroutines(t, capture.Options{ContainerID: p.id}).Sample {
		state, reason, creator, at := s.Label["state"], s.Label["wait reason"], s.Label["created by"], s.Label["created at"]
		if len(state) != 1 || len(reason) > 1 || len(creator) > 1 || (state[0] == "waiting") != (len(reason) == 1) {
			t.Errorf("labels %v of %s", s.Label, names(s))
		}
		if isMain := strings.HasSuffix(names(s), "runtime.main,"); isMain == (len(creator) == 1) {
			t.Errorf("%s was created by %q", names(s), creator)
		}
		if len(at) != len(creator) || len(at) == 1 && !goStatement(at[0]) {
			t.Errorf("%s was created at %q", names(s), at)
		}
		reasons[strings.Join(append(state, reason...), ": ")] += s.Value[0]
	}
	for reason, n := range map[string]int64{
		"waiting: chan receive": 10 + 3 + 5, "waiting: chan send": 2, "waiting: select": 1, "waiting: select (no cases)": 1, "waiting: sleep": 1,
		"waiting: IO wait": 2, "waiting: sync.Mutex.Lock": 2, "waiting: sync.WaitGroup.Wait": 1, "syscall": 1,
	} {
		if reasons[reason] != n {
			t.Errorf("%d goroutines %s, want %d: %v", reasons[reason], reason, n, reasons)
		}
	}
	each := goroutines(t, capture.Options{ContainerID: p.id, ByGoroutine: true})
	ids := map[int64]bool{}
	for _, s := range each.Sample {
		id := s.NumLabel["goroutine"]
		if len(id) != 1 || ids[id[0]] || s.Value[0] != 1 {
			t.Fatalf("numbers %v, values %v", s.NumLabel, s.Value)
		}
		ids[id[0]] = true
		if parent := s.NumLabel["parent"]; id[0] != 1 && (len(parent) != 1 || parent[0] != 1) {
			t.Errorf("the parent of goroutine %d is %v", id[0], parent)
		}
	}
	if !ids[1] || int64(len(ids)) != total(each) {
		t.Errorf("%d IDs of %d goroutines", len(ids), total(each))
	}
	var text bytes.Buffer
	if err := render.Write(&text, each, render.Text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\ngoroutine 1 [syscall]:\n", ` [chan receive labels:{"inner": "yes", "path": "/cart", "user": "42"}]:`, "main.deep(...)\n\t", "\ncreated by main.main in goroutine 1\n\t/"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the traceback lacks %q:\n%s", want, text.String())
		}
	}
}

// 100,000 goroutines with few distinct stacks take little memory.
func TestMemoryForManyGoroutines(t *testing.T) {
	need.Root(t)
	p := startParked(t, buildGo(t, "local", "'-ldflags=-s -w'", "parks"), "100000")
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	peak := make(chan uint64)
	done := make(chan bool)
	go func() {
		most := uint64(0)
		for {
			select {
			case <-done:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
				runtime.ReadMemStats(&after)
				most = max(most, after.HeapInuse)
			}
		}
	}()
	got := goroutines(t, capture.Options{ContainerID: p.id})
	done <- true
	if most := <-peak; total(got) < 100_000 || most > before.HeapInuse+40<<20 {
		t.Errorf("%d MiB for %d goroutines", (most-before.HeapInuse)>>20, total(got))
	} else {
		t.Logf("%d MiB for %d goroutines", (int64(most)-int64(before.HeapInuse))>>20, total(got))
	}
}
