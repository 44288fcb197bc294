//go:build linux

// Package proc reads the target's processes, their memory and their files through /proc. The target
// is not trusted: every size and time is bounded, names are cleaned, and paths never leave the
// target's root. Its entry points are Open and InContainer. It must not depend on profiles or
// Kubernetes.
package proc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/clean"
)

// ErrNoContainer is returned if no visible process belongs to the container.
var ErrNoContainer = errors.New("no process of the container is visible")

// Process is one process. After it has ended another process may have its PID; StartTime then
// differs.
type Process struct {
	PID       int    // in the PID namespace of our /proc
	NSPID     int    // in the process's own, innermost PID namespace; this one is shown to users
	Name      string // its command name (comm), at most 15 bytes, without control characters
	StartTime uint64 // clock ticks since boot, field 22 of /proc/<pid>/stat

	// thread is the TID of a thread that had not ended when the process was opened; 0 stands for PID.
	thread int
}

// maxStat bounds the text of a stat file in bytes.
const maxStat = 4096

// Open reads a process. The error wraps fs.ErrNotExist if there is no process with that PID.
func Open(pid int) (*Process, error) {
	p := &Process{PID: pid, NSPID: pid}
	stat, err := readBounded(p.path("stat"), maxStat)
	if err != nil {
		return nil, err
	}
	name, rest := cutStat(stat)
	p.Name = clean.Text(name)
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields, 22 are needed", pid, len(fields)+2)
	}
	if p.StartTime, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return nil, fmt.Errorf("/proc/%d/stat: start time: %w", pid, err)
	}
	if hasEnded(stat) {
		p.thread = livingThread(pid)
	}
	status, err := readBounded(p.path("status"), 64<<10)
	if err != nil {
		return nil, err
	}
	p.NSPID = innermostPID(status, pid)
	return p, nil
}

// startedAt returns the time when the process was started, accurate to some hundredths of a second.
func (p *Process) startedAt() (time.Time, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Time{}, err
	}
	// proc_pid_stat(5) counts in units of USER_HZ, which is 100 on all architectures.
	age := time.Duration(now.Nano()) - time.Duration(p.StartTime)*(time.Second/100)
	return time.Now().Add(-age), nil
}

// innermostPID returns the last number of the NSpid line of /proc/PID/status, which lists the PID
// in each namespace from that of /proc inwards (since Linux 4.1). It returns otherwise if there is
// no such line.
func innermostPID(status string, otherwise int) int {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(rest)
			if len(fields) > 0 {
				if n, err := strconv.Atoi(fields[len(fields)-1]); err == nil {
					return n
				}
			}
		}
	}
	return otherwise
}

// InContainer returns the visible processes in the container's cgroup or below it. The error wraps
// ErrNoContainer if there are none.
func InContainer(id string) ([]Process, error) {
	pids, err := pids()
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, pid := range pids {
		if _, ok, err := DepthInContainer(pid, id); err != nil || !ok {
			continue // it has ended, or is not in the container
		}
		if p, err := Open(pid); err == nil {
			found = append(found, *p)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("container %.12s: %w; the container has ended, or this container runtime does not share the target's process namespace", id, ErrNoContainer)
	}
	return found, nil
}

func pids() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func (p *Process) path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.PID), name)
}

// readBounded reads a small file of /proc, up to limit bytes.
func readBounded(path string, limit int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(bufio.NewReader(io.LimitReader(f, limit)))
	return string(data), err
}
