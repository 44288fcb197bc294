//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const cgroupRoot = "/sys/fs/cgroup"

// leaveRootCgroup moves all processes into a child cgroup if this machine is itself a container on
// cgroup v2. A cgroup with processes cannot enable controllers for its children (cgroups(7), "no
// internal processes"), and the kubelet's cgroup for pods is such a child. A real root is exempt; it
// has no cgroup.type. The child cgroup is not removed, because the container's processes stay in it.
func leaveRootCgroup() error {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.type")); err != nil {
		return nil
	}
	child := filepath.Join(cgroupRoot, "init")
	if err := os.MkdirAll(child, 0o755); err != nil {
		return err
	}
	procs, err := os.ReadFile(filepath.Join(cgroupRoot, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(procs)) {
		err := os.WriteFile(filepath.Join(child, "cgroup.procs"), []byte(pid), 0)
		if err != nil && !errors.Is(err, syscall.ESRCH) { // the process has ended
			return fmt.Errorf("moving process %s to the cgroup %s: %w", pid, child, err)
		}
	}
	return nil
}

// removeCgroups removes the kubelet's cgroups for pods, deepest first, on v2 and in each of v1's
// hierarchies. A killed process leaves its cgroup only when it is reaped, so this retries. A cgroup
// still in use after three seconds belongs to another kubelet.
func removeCgroups() {
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		dirs := podCgroups()
		for _, dir := range dirs {
			syscall.Rmdir(dir)
		}
		if dirs = podCgroups(); len(dirs) == 0 || time.Now().After(deadline) {
			return
		}
	}
}

// podCgroups lists the cgroups for pods, children before their parents.
func podCgroups() []string {
	var dirs []string
	for _, pattern := range []string{cgroupRoot + "/kubepods", cgroupRoot + "/*/kubepods"} {
		roots, _ := filepath.Glob(pattern)
		for _, root := range roots {
			filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
		}
	}
	slices.Reverse(dirs)
	return dirs
}
