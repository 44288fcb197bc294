//go:build linux

package proc

import (
	"fmt"
	"io/fs"
	"time"
)

// OpenPerfMap opens the list of code made at run time that the process has written for perf
// (tools/perf/Documentation/jit-interface.txt in the kernel's source); root is its root directory. One that
// was last written before the process began is that of another process with its PID: the error wraps
// fs.ErrNotExist then too.
func (p *Process) OpenPerfMap(root *Root) (*File, error) {
	path := fmt.Sprintf("/tmp/perf-%d.map", p.NSPID)
	f, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	const inexact = 2 * time.Second // of file systems' clocks
	if started, err := p.Started(); err == nil && f.Modified().Add(inexact).Before(started) {
		f.Close()
		return nil, fmt.Errorf("%s was written before process %d began: %w", path, p.PID, fs.ErrNotExist)
	}
	return f, nil
}
