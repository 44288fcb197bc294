//go:build linux

package proc

import (
	"fmt"
	"regexp"
	"strings"
)

// kubeletDirPart matches the path of a container's termination message on the node, which the
// kubelet mounts into the container: pods/<pod UID>/containers/<container name>/<hash>
// (pkg/kubelet/kubelet_getters.go of Kubernetes).
var kubeletDirPart = regexp.MustCompile(`/(pods/[0-9a-f-]{36}/containers/[^/]+)/[^/]+$`)

// KubeletDir returns the kubelet's directory for the container of a process, "pods/<pod
// UID>/containers/<container name>". It stays the same when the container is restarted. It is empty
// if the process is not in a pod's container, or if the container's mounts are not complete yet.
func KubeletDir(pid int) (string, error) {
	text, err := ofLivingThread(&Process{PID: pid}, func(tid int) (string, error) {
		return readBounded(threadPath(pid, tid, "mountinfo"), 1<<20)
	})
	if err != nil {
		return "", err
	}
	return parseKubeletDir(text), nil
}

// parseKubeletDir parses lines of "ID parent major:minor root mount-point …", see
// proc_pid_mountinfo(5).
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

// ContainerKubeletDir returns the KubeletDir of a running container.
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
	return "", fmt.Errorf("container %.12s: its mounts do not show to which pod it belongs, so it cannot be found again after a restart", id)
}
