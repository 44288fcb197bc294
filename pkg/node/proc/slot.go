//go:build linux

package proc

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// slotPart matches where a kubelet keeps the termination message of a container, a file that it mounts into each start
// of it: pods/<pod's UID>/containers/<container's name>/<hash> (kubelet, pkg/kubelet/kubelet_getters.go).
var slotPart = regexp.MustCompile(`/(pods/[0-9a-f-]{36}/containers/[^/]+)/[^/]+$`)

// Slot names the place in a pod that a process's container has, which stays the same when the container is restarted;
// empty for a process that is in none, or whose mounts are not made yet.
func Slot(pid int) (string, error) {
	text, err := readBounded(filepath.Join("/proc", strconv.Itoa(pid), "mountinfo"), 1<<20)
	if err != nil {
		return "", err
	}
	return parseSlot(text), nil
}

// parseSlot reads lines of "ID parent major:minor root mount-point …", see proc_pid_mountinfo(5).
func parseSlot(text string) string {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 4 {
			if m := slotPart.FindStringSubmatch(fields[3]); m != nil {
				return m[1]
			}
		}
	}
	return ""
}

// SlotOf is the slot of a running container.
func SlotOf(id string) (string, error) {
	all, err := InContainer(id)
	if err != nil {
		return "", err
	}
	for _, p := range all {
		if slot, err := Slot(p.PID); err == nil && slot != "" {
			return slot, nil
		}
	}
	return "", fmt.Errorf("container %.12s: its mounts do not tell which container of which pod it is, so its next start cannot be found", id)
}
