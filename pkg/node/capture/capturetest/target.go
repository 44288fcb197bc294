//go:build linux

package capturetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TargetVariable is the environment variable that makes the test binary run the workload it names instead of tests.
const TargetVariable = "CAPTURE_TEST_TARGET"

// RunWorkload runs the workload named in TargetVariable. It reports whether one was named.
func RunWorkload() bool {
	switch os.Getenv(TargetVariable) {
	case "spin":
		fmt.Println(spin(time.Minute))
	case "spins":
		runtime.GOMAXPROCS(spinning)
		for range spinning {
			go func() {
				runtime.LockOSThread() // so that the thread runs no other goroutine when it is preempted
				fmt.Println(spin(time.Minute))
			}()
		}
		select {}
	case "nap":
		pprof.Do(context.Background(), pprof.Labels("request", "slow"), func(context.Context) { nap() })
	case "deep":
		fmt.Println(descend(3000))
	case "fork":
		for {
			exec.Command("/bin/true").Run()
		}
	default:
		return false
	}
	return true
}

// spinning is the number of goroutines that the workload "spins" runs at once.
const spinning = 160

//go:noinline
func spin(d time.Duration) int {
	n := 0
	for end := time.Now().Add(d); time.Now().Before(end); {
		for i := range 1_000_000 {
			n += i ^ n
		}
	}
	return n
}

//go:noinline
func nap() {
	for {
		unix.Nanosleep(&unix.Timespec{Nsec: 20_000_000}, nil)
	}
}

//go:noinline
func descend(depth int) int {
	if depth > 0 {
		return descend(depth-1) + 1
	}
	return spin(time.Minute)
}

// StartWorkload starts this test binary with the given workload in a cgroup that is named like a container's. It
// returns the container's ID and the PID.
func StartWorkload(t testing.TB, workload string) (id string, pid int) {
	t.Helper()
	id = fmt.Sprintf("%064x", time.Now().UnixNano())
	cgroup := NewCgroup(t, id)
	// It must be in the cgroup before its first sample.
	start := filepath.Join(t.TempDir(), "start")
	script := fmt.Sprintf("echo $$ > %s/cgroup.procs && exec %s", cgroup, start)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(self, start); err != nil {
		data, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(start, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = append(os.Environ(), TargetVariable+"="+workload)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	WaitFor(t, "the target to start", func() bool {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
		return strings.HasPrefix(string(line), start)
	})
	return id, cmd.Process.Pid
}

// WaitLimit bounds each wait for another program to do something that costs it little CPU time. It is generous
// because the machine may be busy.
const WaitLimit = 2 * time.Minute

// WaitFor polls until a condition holds.
func WaitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(WaitLimit); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", WaitLimit, what)
		}
	}
}

// UntilUsed returns a context that ends when a process has used the given CPU time from now on, or after WaitLimit.
// Unlike wall time, CPU time yields the same number of samples on a busy machine.
func UntilUsed(t testing.TB, pid int, cpu time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), WaitLimit)
	want := CPUTime(t, pid) + cpu
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		for ctx.Err() == nil && CPUTime(t, pid) < want {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return ctx
}

// CPUTime returns the CPU time that a process's threads have used, from /proc/PID/task/TID/schedstat.
func CPUTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	var total time.Duration
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		var ns int64
		fmt.Sscan(string(text), &ns)
		total += time.Duration(ns)
	}
	return total
}

// NewCgroup creates a cgroup named id and returns its directory. It is removed at the end of the test.
func NewCgroup(t testing.TB, id string) string {
	t.Helper()
	dir := filepath.Join(CgroupRoot(), "capture-test", id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 100 { // until the kernel has forgotten the killed processes
			if os.Remove(dir) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		os.Remove(filepath.Dir(dir)) // which fails while other tests have cgroups in it
	})
	return dir
}

// CgroupRoot returns the directory of the memory controller's hierarchy, or of the unified one if there is no other.
func CgroupRoot() string {
	root := "/sys/fs/cgroup/memory"
	if _, err := os.Stat(root); err != nil {
		root = "/sys/fs/cgroup"
	}
	return root
}
