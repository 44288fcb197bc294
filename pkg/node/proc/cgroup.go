//go:build linux

package proc

import (
	"fmt"
	"regexp"
	"strings"
)

// containerPart matches the directory of a container's cgroup as runtimes name it: the bare ID
// (cgroupfs driver) or PREFIX-ID.scope (systemd driver: cri-containerd-, crio-, docker-, libpod-).
var containerPart = regexp.MustCompile(`^(?:[a-z-]+-)?([0-9a-f]{64})(?:\.scope)?$`)

// ContainerID gives the ID of the container that a process is in, empty if it is in none, and how
// many levels below the container's own cgroup the process is. Of nested containers it gives the innermost.
func ContainerID(pid int) (id string, depth int, err error) {
	path, _, err := containerCgroup(pid, "")
	if err != nil {
		return "", 0, err
	}
	id, depth = innermost(path, "")
	return id, depth, nil
}

// DepthInContainer tells whether a process is in the given container, and how many levels below its cgroup.
func DepthInContainer(pid int, id string) (depth int, ok bool, err error) {
	path, _, err := containerCgroup(pid, id)
	if err != nil {
		return 0, false, err
	}
	found, depth := innermost(path, id)
	return depth, found != "", nil
}

// OnCgroupV2 tells whether the container's cgroup is one of the unified hierarchy (cgroup v2); else it is
// one of the memory controller's (v1). Both exist side by side in systemd's hybrid mode.
func OnCgroupV2(pid int, id string) (bool, error) {
	_, unified, err := containerCgroup(pid, id)
	return unified, err
}

// containerCgroup is the process's path in the hierarchy in which containers are: the unified one if
// its path names a container (id, or any if empty), else the memory controller's.
func containerCgroup(pid int, id string) (path string, unified bool, err error) {
	text, err := readBounded(fmt.Sprintf("/proc/%d/cgroup", pid), 64<<10)
	if err != nil {
		return "", false, err
	}
	path, unified = parseCgroup(text, id)
	return path, unified, nil
}

// parseCgroup reads lines of "hierarchy:controllers:path", see cgroups(7).
func parseCgroup(text, id string) (path string, unified bool) {
	for line := range strings.Lines(text) {
		hierarchy, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, p, _ := strings.Cut(rest, ":")
		if found, _ := innermost(p, id); found == "" {
			continue
		}
		if hierarchy == "0" && controllers == "" {
			return p, true
		}
		if controllers == "memory" {
			path = p
		}
	}
	return path, false
}

// innermost finds the last container in a path, or the one with the given ID, and counts the levels below.
func innermost(path, id string) (found string, depth int) {
	parts := strings.Split(path, "/")
	for i := len(parts) - 1; i >= 0; i-- {
		m := containerPart.FindStringSubmatch(parts[i])
		if m != nil && (id == "" || m[1] == id) {
			return m[1], len(parts) - 1 - i
		}
	}
	return "", 0
}
