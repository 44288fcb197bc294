//go:build linux

package proc

import (
	"fmt"
	"io"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Timeouts for reading the target's memory. A page may have to come from a file system or from a
// program of the target (userfaultfd) that never answers. A single range is read while samples are
// waiting. Reading many ranges is less urgent and may take longer on a busy machine.
const (
	memoryTimeout = 100 * time.Millisecond
	partsTimeout  = 2 * time.Second
)

// MemoryPart is a range of a process's memory and the buffer for its bytes.
type MemoryPart struct {
	Address uint64
	Bytes   []byte
}

// ReadMemory fills b from an address of a process. It returns after at most 100 ms, then with an
// error that wraps os.ErrDeadlineExceeded. It needs CAP_SYS_PTRACE.
func ReadMemory(pid int, address uint64, b []byte) error {
	return readParts(pid, []MemoryPart{{address, b}}, memoryTimeout)
}

// maxParts bounds the ranges read by one system call (IOV_MAX, limits.h).
const maxParts = 1024

// ReadMemoryParts fills all parts, with as few system calls as possible, so that they are read
// close to the same moment.
func ReadMemoryParts(pid int, parts []MemoryPart) error {
	for len(parts) > 0 {
		n := min(len(parts), maxParts)
		if err := readParts(pid, parts[:n], partsTimeout); err != nil {
			return err
		}
		parts = parts[n:]
	}
	return nil
}

func readParts(pid int, parts []MemoryPart, timeout time.Duration) error {
	read, err := withTimeout(timeout, fmt.Sprintf("read the memory of process %d", pid), func() ([]byte, error) {
		remote, size := make([]unix.RemoteIovec, len(parts)), 0
		for i, p := range parts {
			remote[i] = unix.RemoteIovec{Base: uintptr(p.Address), Len: len(p.Bytes)}
			size += len(p.Bytes)
		}
		read := make([]byte, size) // not into the parts, which the caller may reuse if the call returns after the timeout
		local := unix.Iovec{Base: unsafe.SliceData(read)}
		local.SetLen(len(read))
		n, err := inLivingThread(unix.ProcessVMReadv, pid, local, remote)
		if err == nil && n < len(read) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("read the memory of process %d at %#x: %w", pid, addressAt(parts, max(n, 0)), err)
		}
		return read, nil
	}, nil)
	if err != nil {
		return err
	}
	for _, p := range parts {
		read = read[copy(p.Bytes, read):]
	}
	return nil
}

// WriteMemory writes b to an address of a process, all threads of which are stopped (WhileAllStopped).
func WriteMemory(pid int, address uint64, b []byte) error {
	local := unix.Iovec{Base: unsafe.SliceData(b)}
	local.SetLen(len(b))
	_, err := inLivingThread(unix.ProcessVMWritev, pid, local, []unix.RemoteIovec{{Base: uintptr(address), Len: len(b)}})
	return err
}

// inLivingThread calls process_vm_readv(2) or process_vm_writev(2) for a thread of the process that has
// not ended.
func inLivingThread(transfer func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), pid int, local unix.Iovec, remote []unix.RemoteIovec) (int, error) {
	n, err := transfer(pid, []unix.Iovec{local}, remote, 0)
	if err != unix.ESRCH {
		return n, err
	}
	tid := livingThread(pid)
	if tid == pid {
		return n, err
	}
	n, err = transfer(tid, []unix.Iovec{local}, remote, 0)
	if another := verifyThread(pid, tid); err == nil && another != nil {
		return 0, unix.ESRCH
	}
	return n, err
}

// addressAt returns the address of byte n of all parts together.
func addressAt(parts []MemoryPart, n int) uint64 {
	for _, p := range parts {
		if n < len(p.Bytes) {
			return p.Address + uint64(n)
		}
		n -= len(p.Bytes)
	}
	return 0
}
