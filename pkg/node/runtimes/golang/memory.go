//go:build linux

package golang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Memory is the memory of a process, which may run and change anything while it is read.
type Memory interface {
	// Read fills all parts, as close to the same moment as it can.
	Read(parts ...proc.MemoryPart) error
}

// processMemory is the memory of a running process. It is read by PID: reading /proc/PID/mem would
// need CAP_DAC_OVERRIDE, and a system call for each part.
type processMemory struct {
	pid    int
	handle *proc.Handle // nil if a seccomp profile forbids handles; VerifyProcess then has to suffice
}

func openMemory(p *proc.Process) (processMemory, error) {
	handle, err := p.OpenHandle()
	if err != nil && !errors.Is(err, proc.ErrMemoryGone) {
		err = nil
	}
	return processMemory{p.PID, handle}, err
}

func (m processMemory) Read(parts ...proc.MemoryPart) error {
	if err := proc.ReadMemoryParts(m.pid, parts); err != nil {
		return err
	}
	return m.verify()
}

func (m processMemory) tryRead(parts []proc.MemoryPart) ([]bool, error) {
	read, err := proc.TryReadMemoryParts(m.pid, parts)
	if err != nil {
		return read, err
	}
	return read, m.verify()
}

// verify returns an error if another process may have had the PID when it was read.
func (m processMemory) verify() error {
	if m.handle == nil {
		return nil
	}
	return m.handle.VerifyRunning()
}

func (m processMemory) close() {
	if m.handle != nil {
		m.handle.Close()
	}
}

// read fills b from an address of the process.
func (r *Runtime) read(address uint64, b []byte) error {
	return r.memory.Read(proc.MemoryPart{Address: address, Bytes: b})
}

// tryRead reads several parts and returns, for each, whether it could be read. The error is not nil
// if no memory of the process can be read.
func (r *Runtime) tryRead(parts []proc.MemoryPart) ([]bool, error) {
	if err := r.memory.spend(parts); err != nil {
		return nil, err
	}
	if m, ok := r.memory.Memory.(processMemory); ok {
		return m.tryRead(parts)
	}
	read := make([]bool, len(parts))
	for i, p := range parts {
		read[i] = r.memory.Memory.Read(p) == nil
	}
	return read, nil
}

// word reads 8 bytes.
func (r *Runtime) word(address uint64) (uint64, error) {
	var b [8]byte
	err := r.read(address, b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// pointer reads a pointer, which may be nil. It returns an error if the word cannot be a pointer.
func (r *Runtime) pointer(address uint64) (uint64, error) {
	p, err := r.word(address)
	if err == nil && !isPointer(p) && p != 0 {
		err = fmt.Errorf("%w: %#x at %#x is not a pointer", ErrTorn, p, address)
	}
	return p, err
}

// isPointer reports whether a word may be a user-space pointer, aligned as a structure with
// pointers is.
func isPointer(p uint64) bool { return p >= 4096 && p < math.MaxInt64 && p%8 == 0 }
