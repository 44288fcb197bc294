//go:build linux

package proc

import (
	"os"
	"path/filepath"
	"strconv"
)

// FindThread gives the ID in our /proc of a thread that the process itself knows by another: its PID namespace may be one
// below ours. It gives false if there is none.
func (p *Process) FindThread(own int) (tid int, ok bool) {
	if p.nsThreadID(own) == own { // as where the namespace is the same
		return own, true
	}
	dir, err := os.Open(p.path("task"))
	if err != nil {
		return 0, false
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(maxThreads)
	for _, name := range names {
		if tid, err := strconv.Atoi(name); err == nil && p.nsThreadID(tid) == own {
			return tid, true
		}
	}
	return 0, false
}

// nsThreadID is a thread's ID in the process's own PID namespace; 0 if it has ended.
func (p *Process) nsThreadID(tid int) int {
	status, err := readBounded(filepath.Join(p.path("task"), strconv.Itoa(tid), "status"), 64<<10)
	if err != nil {
		return 0
	}
	return innermostPID(status, tid)
}
