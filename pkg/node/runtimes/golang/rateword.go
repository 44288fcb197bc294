//go:build linux

package golang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// rateWord is the variable runtime.MemProfileRate of a process and the value to write to it. It is
// sent to the guard as JSON.
type rateWord struct {
	PID       int
	StartTime uint64 // of the process, as in proc.Process
	Address   uint64
	Old, New  uint64
}

// replace writes a value if the word has the expected one. It is not an error if the word has
// another value, which stays, or if the process has ended.
func (w rateWord) replace(expected, value uint64) error {
	if hasEnded(w.PID, w.StartTime) {
		return nil
	}
	now := make([]byte, 8)
	switch _, err := transfer(unix.ProcessVMReadv, w, now); {
	case errors.Is(err, unix.EFAULT): // it has executed another program, which has nothing at this address
		return nil
	case err != nil:
		return fmt.Errorf("read runtime.MemProfileRate of process %d: %w", w.PID, err)
	}
	if binary.LittleEndian.Uint64(now) != expected {
		return nil
	}
	binary.LittleEndian.PutUint64(now, value)
	if n, err := transfer(unix.ProcessVMWritev, w, now); err != nil || n != len(now) {
		return fmt.Errorf("write runtime.MemProfileRate of process %d: %w", w.PID, err)
	}
	return nil
}

// transfer copies between b and the word with process_vm_readv or process_vm_writev.
func transfer(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), w rateWord, b []byte) (int, error) {
	local := unix.Iovec{Base: unsafe.SliceData(b)}
	local.SetLen(len(b))
	return call(w.PID, []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(w.Address), Len: len(b)}}, 0)
}

// hasEnded reports whether a process has ended, also if another process has its PID now.
func hasEnded(pid int, startTime uint64) bool {
	p, err := proc.Open(pid)
	return err != nil || p.StartTime != startTime
}
