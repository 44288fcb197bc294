//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// nodeProcesses returns the PIDs of the components and of containerd's shims. Their command lines
// contain one of our directories.
func nodeProcesses() []int {
	return processes(func(proc string) bool {
		line, err := os.ReadFile(filepath.Join(proc, "cmdline"))
		if err != nil {
			return false
		}
		program, _, _ := strings.Cut(string(line), "\x00")
		program = filepath.Base(program)
		return (program == "controlplane" || strings.HasPrefix(program, "containerd")) &&
			(strings.Contains(string(line), stateDir) || strings.Contains(string(line), runDir))
	})
}

// containerProcesses returns the PIDs of processes in our containers, also when the shims are gone:
// the root of such a process is an overlay whose layers are below our state directory.
func containerProcesses() []int {
	return processes(func(proc string) bool {
		mounts, err := os.ReadFile(filepath.Join(proc, "mountinfo"))
		if err != nil {
			return false
		}
		for line := range strings.Lines(string(mounts)) {
			// proc_pid_mountinfo(5): the fifth field is the mount point, the last the
			// options.
			fields := strings.Fields(line)
			if len(fields) > 5 && fields[4] == "/" && strings.Contains(fields[len(fields)-1], stateDir+"/containerd") {
				return true
			}
		}
		return false
	})
}

func processes(match func(proc string) bool) []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && pid != os.Getpid() && match(fmt.Sprintf("/proc/%d", pid)) {
			pids = append(pids, pid)
		}
	}
	return pids
}
