//go:build linux

package proc

import (
	"fmt"
	"io"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A page of the target's memory may have to come from a file system, or from a program of the target's
// (userfaultfd), that never answers. Who reads one range has samples waiting; who reads many has time, on a machine
// where the target leaves us little.
const (
	memoryTimeout = 100 * time.Millisecond
	partsTimeout  = 2 * time.Second
)

// MemoryPart is a range of a process's memory, and where its bytes go.
type MemoryPart struct {
	Address uint64
	Bytes   []byte
}

// ReadMemory reads from the memory of a process until b is full, and takes a bounded time. It needs
// CAP_SYS_PTRACE.
func ReadMemory(pid int, address uint64, b []byte) error {
	return readParts(pid, []MemoryPart{{address, b}}, memoryTimeout)
}

// maxParts is what one system call reads (IOV_MAX, limits.h).
const maxParts = 1024

// ReadMemoryParts reads several ranges, as ReadMemory, and as nearly at the same moment as the kernel can.
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
		read := make([]byte, size) // for the parts may be in other use when this returns too late
		local := unix.Iovec{Base: unsafe.SliceData(read)}
		local.SetLen(len(read))
		n, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, remote, 0)
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

// addressAt is where the byte of that number is read from.
func addressAt(parts []MemoryPart, n int) uint64 {
	for _, p := range parts {
		if n < len(p.Bytes) {
			return p.Address + uint64(n)
		}
		n -= len(p.Bytes)
	}
	return 0
}
