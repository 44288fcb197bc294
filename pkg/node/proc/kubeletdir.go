//go:build linux

package proc

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// kubeletDirPart matches where a kubelet keeps the termination message of a container, a file that it mounts into each start
// of it: pods/<pod's UID>/containers/<container's name>/<hash> (kubelet, pkg/kubelet/kubelet_getters.go).
var kubeletDirPart = regexp.MustCompile(`/(pods/[0-9a-f-]{36}/containers/[^/]+)/[^/]+$`)

// KubeletDir names the place in a pod that a process's container has, which stays the same when the container is restarted;
// empty for a process that is in none, or whose mounts are not made yet.
func KubeletDir(pid int) (string, error) {
	text, err := readBounded(filepath.Join("/proc", strconv.Itoa(pid), "mountinfo"), 1<<20)
	if err != nil {
		return "", err
	}
	return parseKubeletDir(text), nil
}

// parseKubeletDir reads lines of "ID parent major:minor root mount-point …", see proc_pid_mountinfo(5).
func parseKubeletDir(text string) string {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 4 {
			if m := kubeletDirPart.FindStringSubmatch(fields[3]); m != nil {
				return m[1]
			}
		}
	}
	return ""
}

// ContainerKubeletDir is the dir of a running container.
func ContainerKubeletDir(id string) (string, error) {
	all, err := InContainer(id)
	if err != nil {
		return "", err
	}
	for _, p := range all {
		if dir, err := KubeletDir(p.PID); err == nil && dir != "" {
			return dir, nil
		}
	}
	return "", fmt.Errorf("container %.12s: its mounts do not tell which container of which pod it is, so its next start cannot be found", id)
}
