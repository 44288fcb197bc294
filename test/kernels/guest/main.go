// Command guest is the first process of a kernel under test. It starts busy programs in a cgroup and
// PID namespaces of their own, and one outside, samples the cgroup with package capture, prints
// what it found as one line of JSON on the console and powers the machine off.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/pprof/profile"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/symbol"
)

// Result is what the test reads behind Marker.
type Result struct {
	Kernel  string
	Error   string
	Samples int64
	Lost    uint64
	Stacks  map[string]int64 // functions from the leaf to the root and the label "request", by commas
	PIDs    []int64
	Held    int64 // bytes that main.hold holds, by the heap profile
}

// Marker begins the line with the result.
const Marker = "RESULT "

const containerID = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"

func main() {
	switch {
	case len(os.Args) == 1:
		// The libraries look at /proc as soon as they are initialized: it must be there before.
		err := mountAll()
		if err == nil {
			err = unix.Exec("/init", []string{"/init", "sample"}, os.Environ())
		}
		fmt.Println(err)
	case os.Args[1] == "target":
		hold()
		go growStacks()
		pprof.Do(context.Background(), pprof.Labels("request", "slow"), func(context.Context) { callerGo() })
	case os.Args[1] == "outsider":
		outsider()
	}
	var u unix.Utsname
	unix.Uname(&u)
	result := Result{Kernel: unix.ByteSliceToString(u.Release[:]), Stacks: map[string]int64{}}
	if err := sample(&result); err != nil {
		result.Error = err.Error()
		if v := (*ebpf.VerifierError)(nil); errors.As(err, &v) {
			result.Error += fmt.Sprintf("; its log ends with %-60v", v)
		}
	}
	line, err := json.Marshal(result)
	fmt.Printf("\n%s%s\n", Marker, line)
	if err != nil {
		fmt.Println(err)
	}
	unix.Sync()
	time.Sleep(200 * time.Millisecond) // the serial line drains
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func mountAll() error {
	for _, m := range []struct{ kind, path string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"securityfs", "/sys/kernel/security"}, {"cgroup2", "/sys/fs/cgroup"},
	} {
		if err := unix.Mount(m.kind, m.path, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.path, err)
		}
	}
	return nil
}

func sample(result *Result) error {
	dir := filepath.Join("/sys/fs/cgroup/kubepods", containerID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cgroup, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer cgroup.Close()
	if err := exec.Command("/init", "outsider").Start(); err != nil {
		return err
	}
	for _, command := range [][]string{
		{"/init", "target"}, {"/spin"}, {"/native", "deep"}, {"/native", "callback"}, {"/native", "signal"}, {"/native", "undescribed"},
	} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWPID, UseCgroupFD: true, CgroupFD: int(cgroup.Fd()),
		}
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("start %v: %w", command, err)
		}
	}
	c, err := capture.NewCPU(capture.Options{ContainerID: containerID, Frequency: 99})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	r, err := c.Run(ctx)
	if err != nil {
		return err
	}
	if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
		return err
	}
	result.Lost = c.Progress().Lost
	summarize(r.Profile, result)
	return readHeap(result)
}

// readHeap reads the memory profile of the Go program in the cgroup.
func readHeap(result *Result) error {
	c, err := capture.NewHeap(capture.Options{ContainerID: containerID})
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := c.Run(context.Background())
	if err != nil {
		return err
	}
	if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
		return err
	}
	for _, s := range r.Profile.Sample {
		if len(s.Location) > 0 && s.Location[0].Line[0].Function.Name == "main.hold" {
			result.Held += s.Value[3] // inuse_space
		}
	}
	return nil
}

var held [][]byte

// hold allocates 64 MiB, in pieces of which each is sampled.
//
//go:noinline
func hold() {
	runtime.MemProfile(nil, true) // without it the linker would turn the profile off
	for range 8 {
		held = append(held, make([]byte, 8<<20))
	}
	runtime.GC()
	runtime.GC()
}

func summarize(p *profile.Profile, result *Result) {
	pids := map[int64]bool{}
	for _, s := range p.Sample {
		result.Samples += s.Value[0]
		stack := ""
		for _, l := range s.Location {
			for _, line := range l.Line {
				stack += line.Function.Name + ","
			}
		}
		for _, value := range s.Label["request"] {
			stack += "request=" + value + ","
		}
		result.Stacks[stack] += s.Value[0]
		pids[s.NumLabel["pid"][0]] = true
	}
	for pid := range pids {
		result.PIDs = append(result.PIDs, pid)
	}
}

//go:noinline
func growStacks() {
	for {
		done := make(chan int)
		go func() { done <- grow(100) }()
		<-done
	}
}

//go:noinline
func grow(n int) int {
	var room [256]byte
	room[n] = 1
	if n == 0 {
		return int(room[0])
	}
	return grow(n-1) + int(room[n])
}

//go:noinline
func callerGo() { hotGo() }

//go:noinline
func hotGo() {
	for n := 0; ; n++ {
		step(n)
	}
}

// sink is read by nobody; it keeps the loops from being optimized away.
var sink atomic.Int64

// step keeps no frame pointer: its caller must be found all the same.
//
//go:noinline
func step(n int) {
	for i := range 1000 {
		sink.Add(int64(n ^ i))
	}
}

//go:noinline
func outsider() {
	for n := 0; ; n++ {
		sink.Add(int64(n))
	}
}
