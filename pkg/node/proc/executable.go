//go:build linux

package proc

import (
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// OpenExecutable opens the program that the process executes.
func (p *Process) OpenExecutable() (*File, error) {
	return ofLivingThread(p, func(tid int) (*File, error) {
		return openRegular("exe", func() (int, error) { return p.findExecutable(tid) })
	})
}

// findExecutable opens the process's executable with findFlags.
func (p *Process) findExecutable(tid int) (int, error) {
	return unix.Open(threadPath(p.PID, tid, "exe"), findFlags, 0)
}

// Packer returns the name of the program that has packed the process's executable, or "". See object.Packer.
func (p *Process) Packer() string {
	f, err := p.OpenExecutable()
	if err != nil {
		return ""
	}
	defer f.Close()
	return object.Packer(f, f.Size())
}
