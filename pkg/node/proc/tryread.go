//go:build linux

package proc

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TryReadMemoryParts reads several ranges, as ReadMemoryParts, and tells which of them could be read. An error says that
// nothing can be: the process has ended, or CAP_SYS_PTRACE is missing.
func TryReadMemoryParts(pid int, parts []MemoryPart) (read []bool, err error) {
	read = make([]bool, len(parts))
	for done := 0; done < len(parts); {
		n, err := readSome(pid, parts[done:], maxGap)
		if err == nil && n == 0 { // the first cannot be read, or one near it
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

// maxGap is what may be between two ranges, in bytes, for both to be read as one: another range costs the kernel
// as much time as some thousand bytes.
const maxGap = 2 << 10

// readSome gives how many of the parts were read, from the first on.
func readSome(pid int, parts []MemoryPart, gap uint64) (n int, err error) {
	var remote []unix.RemoteIovec
	var at []int // where each part's bytes will be
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
	room, _ := readBuffers.Get().(*[]byte)
	if room == nil || cap(*room) < total {
		buf := make([]byte, total)
		room = &buf
	}
	read, err := withTimeout(partsTimeout, fmt.Sprintf("read the memory of process %d", pid), func() ([]byte, error) {
		read := (*room)[:total]
		local := unix.Iovec{Base: unsafe.SliceData(read)}
		local.SetLen(total)
		n, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, remote, 0)
		if errors.Is(err, unix.EFAULT) {
			return nil, nil // the first already
		}
		if err != nil {
			return nil, fmt.Errorf("read the memory of process %d: %w", pid, err)
		}
		return read[:n], nil
	}, nil)
	if err != nil {
		return 0, err // the room may still be written to
	}
	for n < len(at) && at[n]+len(parts[n].Bytes) <= len(read) {
		copy(parts[n].Bytes, read[at[n]:])
		n++
	}
	*room = (*room)[:cap(*room)]
	readBuffers.Put(room)
	return n, nil
}

// readBuffers has buffers for what is read. They are not those of the parts, which may be in other use when a call
// returns too late.
var readBuffers sync.Pool
