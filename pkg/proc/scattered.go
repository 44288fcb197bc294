package proc

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadScattered reads several ranges, as ReadMemoryParts, and tells which of them could be read. An error says that
// nothing can be: the process has ended, or CAP_SYS_PTRACE is missing.
func ReadScattered(pid int, parts []Part) (read []bool, err error) {
	read = make([]bool, len(parts))
	for done := 0; done < len(parts); {
		some := parts[done:min(len(parts), done+maxParts)]
		n, err := readSome(pid, some)
		if err != nil {
			return read, err
		}
		for i := range n {
			read[done+i] = true
		}
		if done += n; n < len(some) {
			done++ // that one cannot be
		}
	}
	return read, nil
}

// readSome gives how many of the parts were read, up to the first that cannot be.
func readSome(pid int, parts []Part) (n int, err error) {
	total := 0
	remote := make([]unix.RemoteIovec, len(parts))
	for i, p := range parts {
		remote[i] = unix.RemoteIovec{Base: uintptr(p.Address), Len: len(p.Bytes)}
		total += len(p.Bytes)
	}
	if total == 0 {
		return len(parts), nil
	}
	read, err := within(partsPatience, fmt.Sprintf("read the memory of process %d", pid), func() ([]byte, error) {
		read := make([]byte, total) // for the parts may be in other use when this returns too late
		local := unix.Iovec{Base: unsafe.SliceData(read)}
		local.SetLen(total)
		n, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, remote, 0)
		if errors.Is(err, unix.EFAULT) {
			return nil, nil // the first part already
		}
		if err != nil {
			return nil, fmt.Errorf("read the memory of process %d: %w", pid, err)
		}
		return read[:n], nil
	}, nil)
	if err != nil {
		return 0, err
	}
	for n < len(parts) && len(parts[n].Bytes) <= len(read) {
		read = read[copy(parts[n].Bytes, read):]
		n++
	}
	return n, nil
}
