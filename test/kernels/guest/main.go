//go:build linux

// Command guest is the first process of a kernel under test. It starts busy programs in PID
// namespaces and a cgroup of their own, and one program outside, samples the cgroup with package
// capture, prints the result as one line of JSON on the console and powers the machine off.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/pprof/profile"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Result is printed as JSON after Marker.
type Result struct {
	Kernel string
	// UserReads describes whether reading user memory can freeze the kernel, by its machine code, or why
	// that cannot be determined.
	UserReads     string
	Error         string
	Samples       int64
	Lost          uint64
	BrokenAtStart int64            // stacks that were walked before the unwind tables of their program were loaded
	Stacks        map[string]int64 // functions from the leaf to the root and the label "request", each followed by a comma
	PIDs          []int64
	Held          int64 // live bytes allocated by main.hold, according to the heap profile
	// Goroutines counts the Go program's goroutines by how they were read, state and stack:
	// "frozen running main.…".
	Goroutines map[string]int64
	Waits      map[string]float64 // seconds by thread, state and stack; "all" is the whole duration
	Faults     map[string]int64   // by stack
	// With kernel.yama.ptrace_scope=3: the error of the heap profile, and the number of samples of a CPU profile.
	ForbiddenHeap    string
	ForbiddenSamples int64
}

// Started and Marker begin the lines that say what is being done, and the line with the result.
const (
	Started = "STARTED "
	Marker  = "RESULT "
)

const containerID = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"

func main() {
	switch {
	case len(os.Args) == 1:
		// Libraries read /proc when they are initialized, so it must be mounted before.
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
	result := Result{Kernel: unix.ByteSliceToString(u.Release[:]), Stacks: map[string]int64{}, Waits: map[string]float64{}, Faults: map[string]int64{}, Goroutines: map[string]int64{}}
	canFreeze, err := kernel.UserReadsCanFreeze()
	if result.UserReads = fmt.Sprint(canFreeze); err != nil {
		result.UserReads = err.Error()
	}
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
	time.Sleep(200 * time.Millisecond) // let the serial line drain
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
	// start runs a program in the cgroup and returns its standard input.
	var running []*exec.Cmd
	start := func(command ...string) (io.Writer, error) {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWPID, UseCgroupFD: true, CgroupFD: int(cgroup.Fd()),
		}
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("start %v: %w", command, err)
		}
		running = append(running, cmd)
		return stdin, nil
	}
	for _, command := range [][]string{
		{"/init", "target"}, {"/spin"}, {"/native", "deep"}, {"/native", "callback"}, {"/native", "signal"}, {"/native", "undescribed"},
	} {
		if _, err := start(command...); err != nil {
			return err
		}
	}
	fmt.Printf("\n%scpu\n", Started)
	p, lost, err := take(api.CPU, 4*time.Second, nil)
	if err != nil {
		return err
	}
	result.Lost = lost
	summarize(p, result)
	fmt.Printf("%sheap and goroutines\n", Started)
	if err := readHeap(result); err != nil {
		return fmt.Errorf("heap: %w", err)
	}
	if err := readGoroutines(result); err != nil {
		return fmt.Errorf("goroutines: %w", err)
	}

	for _, cmd := range running {
		cmd.Process.Kill()
		cmd.Wait()
	}
	waiting, err := start("/waits")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(waiting) // the program ends when its input is closed
	faulty, err := start("/faults")
	if err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond) // until their threads have started
	fmt.Printf("%soffcpu and faults\n", Started)
	if p, lost, err = take(api.OffCPU, 3*time.Second, nil); err != nil {
		return fmt.Errorf("offcpu: %w", err)
	}
	result.Lost += lost
	result.Waits["all"] = time.Duration(p.DurationNanos).Seconds()
	for _, s := range p.Sample {
		result.Waits[s.Label["thread"][0]+" "+s.Label["state"][0]+" "+names(s)] += float64(s.Value[1]) / 1e9
	}
	if p, lost, err = take(api.Faults, 5*time.Second, func() { fmt.Fprintln(faulty, 400) }); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	result.Lost += lost
	for _, s := range p.Sample {
		result.Faults[names(s)] += s.Value[0]
	}
	if _, err := start("/init", "target"); err != nil {
		return err
	}
	fmt.Printf("%scpu and heap while reading memory is forbidden\n", Started)
	return profileForbidden(result)
}

// profileForbidden makes the kernel forbid everyone to read other processes' memory, which cannot be undone.
func profileForbidden(result *Result) error {
	if err := os.WriteFile("/proc/sys/kernel/yama/ptrace_scope", []byte("3"), 0); err != nil {
		return err
	}
	for n := 0; n < 5 && result.ForbiddenSamples == 0; n++ { // until the program has started
		p, lost, err := take(api.CPU, 2*time.Second, nil)
		if err != nil {
			return fmt.Errorf("cpu while reading memory is forbidden: %w", err)
		}
		result.Lost += lost
		for _, s := range p.Sample {
			if strings.Contains(names(s), "main.hotGo,main.callerGo,") {
				result.ForbiddenSamples += s.Value[0]
			}
		}
	}
	if err := readHeap(result); err != nil {
		result.ForbiddenHeap = err.Error()
	}
	return nil
}

// take takes a symbolized profile and returns it with the number of lost samples.
func take(profileType api.ProfileType, d time.Duration, meanwhile func()) (*profile.Profile, uint64, error) {
	c, err := capture.New(profileType, capture.Options{ContainerID: containerID, Frequency: 99, ByThread: true})
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if meanwhile != nil {
		time.AfterFunc(time.Second, meanwhile)
	}
	r, err := c.Run(ctx)
	if err != nil {
		return nil, 0, err
	}
	return r.Profile, c.Progress().Lost, symbol.Symbolize(r.Profile, r.File, r.PerfMap)
}

// names returns the functions from the leaf to the root, each followed by a comma.
func names(s *profile.Sample) string {
	var b strings.Builder
	for _, l := range s.Location {
		for _, line := range l.Line {
			b.WriteString(line.Function.Name + ",")
		}
	}
	return b.String()
}

// readHeap reads the memory profile of the Go program in the cgroup.
func readHeap(result *Result) error {
	c, err := capture.New(api.Heap, capture.Options{ContainerID: containerID})
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

// A goroutine that runs is on the thread's own stack while the runtime preempts it, and then has no
// stack of its own to read. An emulated CPU that gets little time is there often, so goroutines are
// read until the hot one had its stack hotReadings times.
const (
	minReadings = 5
	maxReadings = 20
	hotReadings = 4
)

// readGoroutines reads the Go program's goroutines several times, with its threads running and
// stopped, and samples them over time.
func readGoroutines(result *Result) error {
	for _, name := range []string{"free", "frozen", "wall"} {
		hot := int64(0)
		for n := 0; n < minReadings || n < maxReadings && hot < hotReadings; n++ {
			o := capture.Options{ContainerID: containerID, Freeze: name == "frozen", Frequency: 99}
			profileType := api.Goroutine
			if name == "wall" {
				profileType = api.Wall
			}
			c, err := capture.New(profileType, o)
			if err != nil {
				return err
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			r, err := c.Run(ctx)
			if err != nil {
				return err
			}
			if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
				return err
			}
			for _, s := range r.Profile.Sample {
				stack := name + " " + s.Label["state"][0] + " " + names(s)
				for _, value := range s.Label["request"] {
					stack += "request=" + value + ","
				}
				result.Goroutines[stack] += s.Value[0]
				if strings.HasPrefix(stack, name+" running ") && strings.Contains(stack, "main.hotGo,main.callerGo,") {
					hot += s.Value[0]
				}
			}
			if name == "wall" {
				break
			}
		}
	}
	return nil
}

func summarize(p *profile.Profile, result *Result) {
	result.BrokenAtStart = meta.BrokenStacksAtStart.Get(p)
	pids := map[int64]bool{}
	for _, s := range p.Sample {
		result.Samples += s.Value[0]
		stack := names(s)
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
