//go:build linux

package golang

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Memory is the memory of a process, which may run and change anything while it is read.
type Memory interface {
	// Read fills all parts, as close to the same moment as it can.
	Read(parts ...proc.MemoryPart) error
}

// processMemory is the memory of the running process with this PID.
type processMemory int

func (pid processMemory) Read(parts ...proc.MemoryPart) error {
	return proc.ReadMemoryParts(int(pid), parts)
}

// read fills b from an address of the process.
func (r *Runtime) read(address uint64, b []byte) error {
	return r.memory.Read(proc.MemoryPart{Address: address, Bytes: b})
}

// tryRead reads several parts and returns, for each, whether it could be read. The error is not nil
// if no memory of the process can be read.
func (r *Runtime) tryRead(parts []proc.MemoryPart) ([]bool, error) {
	if pid, ok := r.memory.(processMemory); ok {
		return proc.TryReadMemoryParts(int(pid), parts)
	}
	read := make([]bool, len(parts))
	for i, p := range parts {
		read[i] = r.memory.Read(p) == nil
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
