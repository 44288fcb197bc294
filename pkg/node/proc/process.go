//go:build linux

// Package proc shows the target's processes and their files as /proc has them, read with distrust:
// every size is bounded, names are cleaned, paths never leave the target's root. Its entry point is
// InContainer. It must not know of profiles or of Kubernetes.
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
	"unicode"
)

// ErrNoContainer is given when no visible process belongs to the container.
var ErrNoContainer = errors.New("no process of the container is visible")

// Process is one process. Its PID may be taken by another one once it has ended: StartTime tells.
type Process struct {
	PID       int    // in the PID namespace of our /proc
	NSPID     int    // in the process's own, innermost PID namespace: what is shown to people
	Name      string // its command name (comm), at most 15 bytes, without control characters
	StartTime uint64 // clock ticks since boot, field 22 of /proc/<pid>/stat
}

// Open reads a process; the error wraps fs.ErrNotExist when it is gone.
func Open(pid int) (*Process, error) {
	p := &Process{PID: pid, NSPID: pid}
	stat, err := readBounded(p.path("stat"), 4096)
	if err != nil {
		return nil, err
	}
	// proc_pid_stat(5): the name stands in parentheses and may hold some itself.
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return nil, fmt.Errorf("/proc/%d/stat cannot be read: no command name in it", pid)
	}
	p.Name = clean(stat[open+1 : end])
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 20 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields, 22 are needed", pid, len(fields)+2)
	}
	if p.StartTime, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return nil, fmt.Errorf("/proc/%d/stat: start time: %w", pid, err)
	}
	status, err := readBounded(p.path("status"), 64<<10)
	if err != nil {
		return nil, err
	}
	p.NSPID = innermostPID(status, pid)
	return p, nil
}

// innermostPID is the last number of the NSpid line (Linux 4.1), which lists a PID for each namespace
// from that of /proc inwards.
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

// InContainer lists the visible processes whose cgroup is that of the container or below it.
func InContainer(id string) ([]Process, error) {
	pids, err := pids()
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, pid := range pids {
		if _, ok, err := DepthInContainer(pid, id); err != nil || !ok {
			continue // gone meanwhile, or not ours
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

// readBounded reads a small file of /proc; what is beyond the limit is cut off.
func readBounded(path string, limit int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(bufio.NewReader(io.LimitReader(f, limit)))
	return string(data), err
}

// clean replaces control characters and what is not UTF-8: names go to terminals and into files.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '\uFFFD'
		}
		return r
	}, s)
}
