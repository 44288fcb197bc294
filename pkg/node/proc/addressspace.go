//go:build linux

package proc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// AddressSpace is the memory that a process had when it was opened. It never becomes that of
// another program: after the process has ended or executed one, all calls return ErrMemoryGone.
// A PID, in contrast, leads to whatever program the process executes at that moment.
type AddressSpace struct {
	file *os.File // /proc/PID/mem, which the kernel binds to the memory (mem_open, fs/proc/base.c)
	pid  int
}

// ErrMemoryGone is returned for memory that no longer exists.
var ErrMemoryGone = errors.New("the process has ended or executed another program")

// OpenAddressSpace opens the process's memory for reading and writing. The caller must verify
// afterwards that the process still executes the expected program. It needs CAP_SYS_PTRACE, and
// CAP_DAC_OVERRIDE for the processes of other users; without the latter the error wraps
// fs.ErrPermission.
func (p *Process) OpenAddressSpace() (*AddressSpace, error) {
	file, err := os.OpenFile(threadPath(p.PID, livingThread(p.PID), "mem"), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &AddressSpace{file, p.PID}, nil
}

// NewAddressSpace returns the address space of a file that another process of this program opened
// and passed on.
func NewAddressSpace(file *os.File, pid int) *AddressSpace { return &AddressSpace{file, pid} }

// File returns the file to pass on to another process of this program. It is closed by Close.
func (a *AddressSpace) File() *os.File { return a.file }

// Read fills b from an address. It returns after at most 2 s; see ReadMemoryParts.
func (a *AddressSpace) Read(address uint64, b []byte) error {
	read, err := a.transfer("read", address, make([]byte, len(b)), a.file.ReadAt)
	copy(b, read)
	return err
}

// Write writes b to an address. It returns after at most 2 s; if the error wraps
// os.ErrDeadlineExceeded, b may still be written later.
func (a *AddressSpace) Write(address uint64, b []byte) error {
	_, err := a.transfer("write", address, append([]byte(nil), b...), a.file.WriteAt)
	return err
}

// transfer calls move with a buffer that belongs to the call, because it may return after the
// timeout.
func (a *AddressSpace) transfer(verb string, address uint64, buffer []byte, move func([]byte, int64) (int, error)) ([]byte, error) {
	what := fmt.Sprintf("%s the memory of process %d", verb, a.pid)
	return withTimeout(partsTimeout, what, func() ([]byte, error) {
		switch n, err := move(buffer, int64(address)); {
		case n == 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
			return nil, fmt.Errorf("%s: %w", what, ErrMemoryGone)
		case err != nil:
			var path *fs.PathError
			if errors.As(err, &path) {
				err = path.Err // the message names the process already
			}
			return nil, fmt.Errorf("%s at %#x: %w", what, address, err)
		}
		return buffer, nil
	}, nil)
}

// Close closes the file; see File.
func (a *AddressSpace) Close() error { return a.file.Close() }
