//go:build linux

package proc

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Handle refers to one process (pidfd_open(2)), whereas another process may get its PID once it has
// ended.
type Handle struct {
	fd  int
	pid int
}

// OpenHandle opens a handle of the process. The error wraps ErrMemoryGone if the process has ended.
func (p *Process) OpenHandle() (*Handle, error) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err == unix.ESRCH {
		err = ErrMemoryGone
	}
	if err != nil {
		return nil, fmt.Errorf("open a handle of process %d: %w", p.PID, err)
	}
	if now, err := Open(p.PID); err != nil || now.StartTime != p.StartTime {
		unix.Close(fd)
		return nil, fmt.Errorf("process %d: %w", p.PID, ErrMemoryGone)
	}
	return &Handle{fd, p.PID}, nil
}

// VerifyRunning returns an error that wraps ErrMemoryGone if the process has ended. If it returns
// nil, what was read before by PID came from this process. It takes about a microsecond.
func (h *Handle) VerifyRunning() error {
	fds := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}} // readable once the process has ended
	for {
		switch n, err := unix.Poll(fds, 0); {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("process %d: %w", h.pid, err)
		case n > 0:
			return fmt.Errorf("process %d: %w", h.pid, ErrMemoryGone)
		default:
			return nil
		}
	}
}

// Close closes the handle.
func (h *Handle) Close() error { return unix.Close(h.fd) }
