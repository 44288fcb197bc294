//go:build linux

package proc

import (
	"fmt"
	"io/fs"
	"time"
)

// OpenPerfMap opens the perf map of the process: the list of functions compiled at run time that it
// wrote for perf (tools/perf/Documentation/jit-interface.txt in the kernel's source). root is its
// root directory. A file last written before the process started belongs to an earlier process with
// the same PID, and one last written before since, which may be zero, to a program that the process
// executed before; the error then wraps fs.ErrNotExist.
func (p *Process) OpenPerfMap(root *Root, since time.Time) (*File, error) {
	path := fmt.Sprintf("/tmp/perf-%d.map", p.NSPID)
	f, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	const inexact = 2 * time.Second // file systems' timestamps may be this much too early
	if started, err := p.startedAt(); err == nil && f.info.modified.Add(inexact).Before(started) {
		f.Close()
		return nil, fmt.Errorf("%s was written before process %d started: %w", path, p.PID, fs.ErrNotExist)
	}
	const tick = 20 * time.Millisecond // the kernel stamps files with the time of its last tick
	if f.info.modified.Add(tick).Before(since) {
		f.Close()
		return nil, fmt.Errorf("%s was written by a program that process %d executed before: %w", path, p.PID, fs.ErrNotExist)
	}
	return f, nil
}
