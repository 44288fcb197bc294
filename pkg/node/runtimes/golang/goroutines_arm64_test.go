//go:build linux

package golang

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

const arm64Goroutines = "testdata/arm64-goroutines.image.gz"

// The goroutines in the recorded memory of an arm64 program match the goroutine profile that the
// program wrote itself. Two more goroutines were preempted asynchronously or were running.
func TestGoroutinesOfARM64(t *testing.T) {
	if *update {
		recordGoroutines(t, "local", "arm64", "qemu-aarch64-static").write(t, arm64Goroutines)
	}
	im := readImage(t, arm64Goroutines)
	r, err := im.open()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	interrupted, running := 0, 0
	for _, g := range goroutinesOf(t, r) {
		var stack strings.Builder
		for _, pc := range g.Stack {
			frames, err := r.table.Lookup(pc - r.bias)
			if err != nil {
				t.Fatalf("%#x: %v", pc, err)
			}
			for _, f := range frames {
				if !f.Wrapper && f.Name != "runtime.goexit" {
					fmt.Fprintf(&stack, "%s:%d ", f.Name, f.Line)
				}
			}
		}
		for _, l := range g.Labels {
			fmt.Fprintf(&stack, " %s=%s", l.Key, l.Value)
		}
		switch s := stack.String(); {
		case strings.HasPrefix(s, "runtime.asyncPreempt2:") && strings.Contains(s, "runtime.asyncPreempt:") && strings.Contains(s, " main.spin:") && g.End == Complete:
			interrupted++
		case g.Status == Running:
			running++
		case !strings.Contains(s, "runtime.main:"):
			got[s]++
			if g.End != Complete {
				t.Errorf("incomplete stack: %s", s)
			}
		}
	}
	if interrupted == 0 || interrupted+running < 2 {
		t.Errorf("%d goroutines were preempted, %d were running", interrupted, running)
	}
	own, err := profile.ParseData(im.Profiles["goroutine"])
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	for _, s := range own.Sample {
		var stack strings.Builder
		for _, l := range s.Location {
			for _, line := range l.Line {
				fmt.Fprintf(&stack, "%s:%d ", line.Function.Name, line.Line)
			}
		}
		for _, key := range sortedKeys(s.Label) {
			fmt.Fprintf(&stack, " %s=%s", key, s.Label[key][0])
		}
		if one := stack.String(); !strings.Contains(one, "main.spin:") && !strings.Contains(one, "runtime.main:") {
			want[one] += s.Value[0]
		}
	}
	for stack, n := range want {
		if got[stack] != n {
			t.Errorf("%d instead of %d goroutines at %s", got[stack], n, stack)
		}
	}
	if len(got) != len(want) || len(want) < 20 {
		t.Errorf("%d stacks, want %d: %v", len(got), len(want), got)
	}
}

func goroutinesOf(t *testing.T, r *Runtime) []Goroutine {
	t.Helper()
	gs, err := r.GoroutineReader()
	if err != nil {
		t.Fatal(err)
	}
	all, err := gs.readAll(t)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// recordGoroutines runs the program parks of package capture's tests, stops it and records what is
// read of its goroutines.
func recordGoroutines(t *testing.T, version, arch string, emulator ...string) *image {
	t.Helper()
	dir := t.TempDir()
	source, err := os.ReadFile("../../capture/testdata/parks/main.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "parks")
	if err := errors.Join(os.WriteFile(path+".go", source, 0o644)); err != nil {
		t.Fatal(err)
	}
	compile := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, path+".go")
	compile.Env = append(os.Environ(), "GOTOOLCHAIN=go"+version, "GOARCH="+arch, "CGO_ENABLED=0", "GO111MODULE=off")
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	args := append(emulator, path, "20", "spin")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
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
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	lines := bufio.NewReader(out)
	expect(t, lines, "ready\n")
	fmt.Fprintln(in, filepath.Join(dir, "own"))
	expect(t, lines, "written <nil>\n")
	time.Sleep(time.Second)
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	im := &image{Size: info.Size(), File: map[int64][]byte{}, Memory: map[uint64][]byte{}, Profiles: map[string][]byte{}}
	im.Mapping = mappingOf(t, cmd.Process.Pid, path)
	if im.Profiles["goroutine"], err = os.ReadFile(filepath.Join(dir, "own")); err != nil {
		t.Fatal(err)
	}
	recorder := &recorder{im, file, processMemory{pid: cmd.Process.Pid}}
	r, err := open(recorder, recorder, im.Mapping)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range goroutinesOf(t, r) {
		for _, pc := range g.Stack {
			_, _ = r.table.Lookup(pc - r.bias) // to record the pages that this reads
		}
	}
	return im
}

func sortedKeys(m map[string][]string) []string { return slices.Sorted(maps.Keys(m)) }
