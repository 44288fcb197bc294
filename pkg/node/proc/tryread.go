//go:build linux

package proc

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TryReadMemoryParts reads parts like ReadMemoryParts and returns, for each, whether it could be
// read. The error is not nil if no memory of the process can be read: it has ended, or
// CAP_SYS_PTRACE is missing.
func TryReadMemoryParts(pid int, parts []MemoryPart) (read []bool, err error) {
	read = make([]bool, len(parts))
	for done := 0; done < len(parts); {
		n, err := readSome(pid, parts[done:], maxGap)
		if err == nil && n == 0 { // the first cannot be read, or the gap after it
			n, err = readSome(pid, parts[done:done+1], 0)
		}
		if err != nil {
			return read, err
		}
		for i := range n {
			read[done+i] = true
		}
		done += max(n, 1)
	}
	return read, nil
}

// maxGap is the largest gap in bytes between two ranges that are read as one. Another range costs
// the kernel as much time as some thousand bytes.
const maxGap = 2 << 10

// readSome reads parts until one cannot be read, and returns how many were read. Ranges with gaps
// of at most gap bytes are read as one.
func readSome(pid int, parts []MemoryPart, gap uint64) (n int, err error) {
	var remote []unix.RemoteIovec
	var at []int // offset of each part's bytes in the buffer
	total := 0
	for _, p := range parts {
		if last := len(remote) - 1; last >= 0 && gap > 0 {
			end := uint64(remote[last].Base) + uint64(remote[last].Len)
			if between := p.Address - end; p.Address >= end && between <= gap && len(p.Bytes) > 0 {
				at = append(at, total+int(between))
				more := int(between) + len(p.Bytes)
				remote[last].Len += more
				total += more
				continue
			}
		}
		if len(remote) == maxParts {
			break
		}
		at = append(at, total)
		remote = append(remote, unix.RemoteIovec{Base: uintptr(p.Address), Len: len(p.Bytes)})
		total += len(p.Bytes)
	}
	if total == 0 {
		return len(at), nil
	}
	buffer, _ := readBuffers.Get().(*[]byte)
	if buffer == nil || cap(*buffer) < total {
		b := make([]byte, total)
		buffer = &b
	}
	read, err := withTimeout(partsTimeout, fmt.Sprintf("read the memory of process %d", pid), func() ([]byte, error) {
		read := (*buffer)[:total]
		local := unix.Iovec{Base: unsafe.SliceData(read)}
		local.SetLen(total)
		n, err := inLivingThread(unix.ProcessVMReadv, pid, local, remote)
		if errors.Is(err, unix.EFAULT) {
			return nil, nil // not even the first range could be read
		}
		if err != nil {
			return nil, fmt.Errorf("read the memory of process %d: %w", pid, err)
		}
		return read[:n], nil
	}, nil)
	if err != nil {
		return 0, err // the call may still write to the buffer, so it is not reused
	}
	for n < len(at) && at[n]+len(parts[n].Bytes) <= len(read) {
		copy(parts[n].Bytes, read[at[n]:])
		n++
	}
	*buffer = (*buffer)[:cap(*buffer)]
	readBuffers.Put(buffer)
	return n, nil
}

// readBuffers holds buffers to read into. The parts themselves may be reused by the caller when a
// call returns after the timeout.
var readBuffers sync.Pool
