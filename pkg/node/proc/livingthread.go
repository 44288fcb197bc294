//go:build linux

package proc

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A process outlives its first thread if that calls pthread_exit. /proc/PID then has no mappings,
// memory, mounts or root directory, because an ended thread has none. /proc/PID/task/TID of any other
// thread has them.

// threadPath returns the path of a file in the directory of one of the process's threads.
func threadPath(pid, tid int, file string) string {
	if tid == pid {
		return filepath.Join("/proc", strconv.Itoa(pid), file)
	}
	return filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(tid), file)
}

// hasEnded reports whether a thread has ended, from the text of its stat file: it is a zombie, or
// about to be removed (proc_pid_stat(5)).
func hasEnded(stat string) bool {
	_, fields := cutStat(stat)
	return strings.HasPrefix(fields, "Z") || strings.HasPrefix(fields, "X")
}

// cutStat returns the command name in the text of a stat file, and the fields that follow it. The name
// is in parentheses and may contain parentheses.
func cutStat(stat string) (name, fields string) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", ""
	}
	return stat[open+1 : end], strings.TrimSpace(stat[end+1:])
}

// FirstThreadHasEnded reports whether the first thread of a process has ended.
func FirstThreadHasEnded(pid int) bool { return threadHasEnded(pid, pid) }

// threadHasEnded reports whether a thread of the process has ended.
func threadHasEnded(pid, tid int) bool {
	stat, err := readBounded(threadPath(pid, tid, "stat"), maxStat)
	return err != nil || hasEnded(stat)
}

// livingThread returns the TID of a thread of the process that has not ended. That is its first one,
// whose TID is the PID, unless it has ended before others. If all have ended it returns the PID.
func livingThread(pid int) int {
	if !threadHasEnded(pid, pid) {
		return pid
	}
	dir, err := os.Open(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return pid
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(maxThreads)
	for _, name := range names {
		if tid, err := strconv.Atoi(name); err == nil && !threadHasEnded(pid, tid) {
			return tid
		}
	}
	return pid
}

// ofLivingThread calls read with the TID of a thread that had not ended when the process was opened. If
// that thread has ended since, it calls read again with another one.
func ofLivingThread[T any](p *Process, read func(tid int) (T, error)) (T, error) {
	known := cmp.Or(p.thread, p.PID)
	value, err := read(known)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		if tid := livingThread(p.PID); tid != known {
			return read(tid)
		}
	}
	return value, err
}

// verifyThread returns an error unless the process has a thread with this TID. What was read by TID
// before then belongs to the process.
func verifyThread(pid, tid int) error {
	if tid == pid {
		return nil
	}
	if err := unix.Access(threadPath(pid, tid, "stat"), unix.F_OK); err != nil {
		return fmt.Errorf("thread %d of process %d: %w", tid, pid, err)
	}
	return nil
}
