package proc

import (
	"fmt"
	"io"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A page of the target's memory may have to come from a file system, or from a program of the target's
// (userfaultfd), that never answers.
const memoryPatience = 100 * time.Millisecond

// ReadMemory reads from the memory of a process until b is full, and takes a bounded time. It needs
// CAP_SYS_PTRACE.
func ReadMemory(pid int, address uint64, b []byte) error {
	read, err := within(memoryPatience, fmt.Sprintf("read the memory of process %d", pid), func() ([]byte, error) {
		read := make([]byte, len(b)) // for b may be in other use when this returns too late
		local := unix.Iovec{Base: unsafe.SliceData(read)}
		local.SetLen(len(read))
		n, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(address), Len: len(read)}}, 0)
		if err != nil {
			return nil, fmt.Errorf("read the memory of process %d at %#x: %w", pid, address, err)
		}
		if n < len(read) {
			return nil, fmt.Errorf("read the memory of process %d at %#x: %w", pid, address, io.ErrUnexpectedEOF)
		}
		return read, nil
	}, nil)
	copy(b, read)
	return err
}
