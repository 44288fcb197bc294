package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// down ends every process of the cluster and removes what it made: mounts, network namespaces with
// their links, cgroups, directories. It asks the machine and not its own notes, so it also works
// after a kill.
func down() error {
	if os.Geteuid() != 0 {
		return errors.New("the test cluster runs as root, so only root can stop it")
	}
	// The kubelet first, else it starts again what is being stopped.
	for _, group := range [][]int{ourProcesses("kubelet"), ourProcesses("")} {
		if err := stop(group); err != nil {
			return err
		}
	}
	if err := stop(containerProcesses()); err != nil {
		return err
	}
	if err := unmountAll(); err != nil {
		return err
	}
	if err := removeLinks(); err != nil {
		return err
	}
	removeCgroups()
	for _, dir := range []string{stateDir, runDir} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	return nil
}

// ourProcesses finds the components and containerd's shims: their command lines name one of our
// directories. argument, if not empty, must be among the arguments.
func ourProcesses(argument string) []int {
	return processes(func(pid int) bool {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			return false
		}
		args := strings.Split(string(line), "\x00")
		program := filepath.Base(args[0])
		if program != "controlplane" && !strings.HasPrefix(program, "containerd") {
			return false
		}
		return (strings.Contains(string(line), stateDir) || strings.Contains(string(line), runDir)) &&
			(argument == "" || slices.Contains(args, argument))
	})
}

// containerProcesses finds what runs inside our containers, also when the shims are gone: the root
// of such a process is an overlay whose layers are below our state directory.
func containerProcesses() []int {
	return processes(func(pid int) bool {
		mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
		if err != nil {
			return false
		}
		for line := range strings.Lines(string(mounts)) {
			// proc_pid_mountinfo(5): the fifth field is the mount point, the last the options.
			fields := strings.Fields(line)
			if len(fields) > 5 && fields[4] == "/" && strings.Contains(fields[len(fields)-1], stateDir+"/containerd") {
				return true
			}
		}
		return false
	})
}

func processes(match func(pid int) bool) []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && match(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// unmountAll unmounts what is mounted below our directories, the last mounted first.
func unmountAll() error {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	lines := strings.Split(string(table), "\n")
	slices.Reverse(lines)
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[1], stateDir+"/") && !strings.HasPrefix(fields[1], runDir+"/") {
			continue
		}
		path := strings.ReplaceAll(fields[1], `\040`, " ")
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
	return nil
}

// removeLinks removes veth links whose other end was in a network namespace of ours. They go with
// the namespace, a moment after it; those that a crash left are found by the subnet of their routes.
func removeLinks() error {
	deadline := time.Now().Add(3 * time.Second)
	for {
		out, err := exec.Command("ip", "-4", "route", "show").Output()
		if err != nil {
			return nil // without iproute2 there has been no cluster
		}
		links := linksOfSubnet(string(out), "10.88.77.")
		if len(links) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			for _, link := range links {
				if out, err := exec.Command("ip", "link", "delete", link).CombinedOutput(); err != nil {
					return fmt.Errorf("link %s: %w: %s", link, err, out)
				}
			}
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func linksOfSubnet(routes, prefix string) []string {
	var links []string
	for line := range strings.Lines(routes) {
		fields := strings.Fields(line)
		if i := slices.Index(fields, "dev"); strings.HasPrefix(line, prefix) && i > 0 && i+1 < len(fields) {
			links = append(links, fields[i+1])
		}
	}
	return links
}

// removeCgroups removes the empty kubepods hierarchy, deepest first; a cgroup in use stays, for
// then it belongs to another kubelet.
func removeCgroups() {
	for _, pattern := range []string{"/sys/fs/cgroup/kubepods", "/sys/fs/cgroup/*/kubepods"} {
		roots, _ := filepath.Glob(pattern)
		for _, root := range roots {
			var dirs []string
			filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
			slices.Reverse(dirs)
			for _, d := range dirs {
				syscall.Rmdir(d)
			}
		}
	}
}
