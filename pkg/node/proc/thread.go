//go:build linux

package proc

import (
	"os"
	"path/filepath"
	"strconv"
)

// FindThread returns the ID in our /proc of the thread with the ID own in the process's own PID
// namespace, which may be nested in ours. It returns false if there is no such thread.
func (p *Process) FindThread(own int) (tid int, ok bool) {
	if p.nsThreadID(own) == own { // usually because the namespace is the same
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

// nsThreadID returns a thread's ID in the process's own PID namespace, 0 if the thread has ended.
func (p *Process) nsThreadID(tid int) int {
	status, err := readBounded(filepath.Join(p.path("task"), strconv.Itoa(tid), "status"), 64<<10)
	if err != nil {
		return 0
	}
	return innermostPID(status, tid)
}
