//go:build linux

package proc

import (
	"regexp"
	"strings"
)

// containerPart matches the directory name of a container's cgroup: the bare ID (cgroupfs driver) or
// PREFIX-ID.scope (systemd driver: cri-containerd-, crio-, docker-, libpod-).
var containerPart = regexp.MustCompile(`^([a-z-]+-)?([0-9a-f]{64})(?:\.scope)?$`)

// monitorPrefix ends the prefix of the cgroup of a container's monitor, which also contains the
// container's ID: crio-conmon- (CRI-O, internal/config/cgmgr), libpod-conmon- (Podman).
const monitorPrefix = "conmon-"

// ContainerID returns the ID of the container that a process is in and the number of levels between
// the process's cgroup and the container's. Of nested containers it returns the innermost. The ID
// is empty if the process is not in a container.
func ContainerID(pid int) (id string, depth int, err error) {
	path, _, err := containerCgroup(pid, "")
	if err != nil {
		return "", 0, err
	}
	id, depth = innermost(path, "")
	return id, depth, nil
}

// DepthInContainer reports whether a process is in the given container, and returns the number of
// levels between the process's cgroup and the container's.
func DepthInContainer(pid int, id string) (depth int, ok bool, err error) {
	path, _, err := containerCgroup(pid, id)
	if err != nil {
		return 0, false, err
	}
	found, depth := innermost(path, id)
	return depth, found != "", nil
}

// OnCgroupV2 reports whether the container's cgroup is in the unified hierarchy (cgroup v2).
// Otherwise it is in that of the v1 memory controller. In systemd's hybrid mode both hierarchies
// exist.
func OnCgroupV2(pid int, id string) (bool, error) {
	_, unified, err := containerCgroup(pid, id)
	return unified, err
}

// containerCgroup returns the process's cgroup path in the unified hierarchy if that path contains
// the container (id, or any container if id is empty), otherwise in the hierarchy of the v1 memory
// controller.
func containerCgroup(pid int, id string) (path string, unified bool, err error) {
	text, err := readCgroups(pid, pid)
	if err != nil {
		return "", false, err
	}
	if dir, v2 := memoryCgroup(text); dir == "/" && !v2 {
		// The v1 hierarchies show ended threads in their root (proc_cgroup_show, kernel/cgroup/cgroup.c).
		if tid := livingThread(pid); tid != pid {
			if text, err = readCgroups(pid, tid); err != nil {
				return "", false, err
			}
		}
	}
	path, unified = parseCgroup(text, id)
	return path, unified, nil
}

// readCgroups reads the list of a thread's cgroups.
func readCgroups(pid, tid int) (string, error) {
	return readBounded(threadPath(pid, tid, "cgroup"), 64<<10)
}

// parseCgroup parses lines of "hierarchy:controllers:path", see cgroups(7).
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

// innermost finds the last container in a path, or the one with the given ID, and returns the
// number of levels below it.
func innermost(path, id string) (found string, depth int) {
	parts := strings.Split(path, "/")
	for i := len(parts) - 1; i >= 0; i-- {
		m := containerPart.FindStringSubmatch(parts[i])
		if m != nil && !strings.HasSuffix(m[1], monitorPrefix) && (id == "" || m[2] == id) {
			return m[2], len(parts) - 1 - i
		}
	}
	return "", 0
}
