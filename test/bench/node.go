//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// needNode refuses a cluster on another machine, because the processes of the node are read from
// this machine's /proc.
func needNode() error {
	if os.Getenv("PPROF_TEST_CLUSTER") == "" {
		return errors.New("what the profiler uses can be read only on the test cluster of this machine: run without KUBECONFIG")
	}
	return nil
}

// targetOf finds the process of a container that runs the given program.
func targetOf(containerID, program string) (pid int, ok bool) {
	return findProcess(func(dir string, line []byte) bool {
		if !bytes.HasPrefix(line, []byte(program+"\x00")) {
			return false
		}
		cgroups, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		return err == nil && bytes.Contains(cgroups, []byte(containerID))
	})
}

// profilerOf finds the profiler of a container.
func profilerOf(containerID string) (pid int, ok bool) {
	return findProcess(func(_ string, line []byte) bool {
		return bytes.HasPrefix(line, []byte("/profiler\x00")) && bytes.Contains(line, []byte(containerID))
	})
}

func findProcess(is func(dir string, commandLine []byte) bool) (pid int, ok bool) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		dir := filepath.Dir(f)
		if line, err := os.ReadFile(f); err == nil && is(dir, line) {
			pid, err = strconv.Atoi(filepath.Base(dir))
			return pid, err == nil
		}
	}
	return 0, false
}

// cpuTime returns the CPU time that a process's present threads have used.
func cpuTime(pid int) time.Duration {
	var total time.Duration
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, f := range files {
		var ns int64
		if text, err := os.ReadFile(f); err == nil { // an error means that the thread has ended
			fmt.Sscan(string(text), &ns)
		}
		total += time.Duration(ns)
	}
	return total
}

// peakMemory returns a process's peak resident set (VmHWM), in MB.
func peakMemory(pid int) (float64, bool) {
	kilobytes, ok := field(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
	return kilobytes * 1024 / 1e6, ok
}

// forgetPeak resets a process's peak resident set, see proc_pid_clear_refs(5).
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// bpfUse is the memory of a process's BPF maps, in MB, and the time of its BPF programs, which the
// kernel measures only while timeBPF is on.
type bpfUse struct {
	maps float64
	time time.Duration
}

func bpfOf(pid int) bpfUse {
	var use bpfUse
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	for _, f := range files {
		if _, isMap := field(f, "map_type:"); isMap {
			bytes, _ := field(f, "memlock:")
			use.maps += bytes / 1e6
		}
		ns, _ := field(f, "run_time_ns:")
		use.time += time.Duration(ns)
	}
	return use
}

// timeBPF makes the kernel time BPF programs until restore is called.
func timeBPF() (restore func(), err error) {
	const path = "/proc/sys/kernel/bpf_stats_enabled"
	before, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return func() { os.WriteFile(path, before, 0) }, os.WriteFile(path, []byte("1"), 0)
}

// field returns the number after a name at the beginning of a line.
func field(path, name string) (value float64, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), name); found {
			n, _ := fmt.Sscan(rest, &value)
			return value, n == 1
		}
	}
	return 0, false
}
