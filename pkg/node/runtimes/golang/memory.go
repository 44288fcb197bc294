//go:build linux

package golang

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Memory is that of a process, which may run meanwhile and change anything.
type Memory interface {
	// Read fills all the parts, as far as it can at the same moment.
	Read(parts ...proc.MemoryPart) error
}

// processMemory is the memory of a running process.
type processMemory int

func (pid processMemory) Read(parts ...proc.MemoryPart) error {
	return proc.ReadMemoryParts(int(pid), parts)
}

// read fills b from an address of the process.
func (r *Runtime) read(address uint64, b []byte) error {
	return r.memory.Read(proc.MemoryPart{Address: address, Bytes: b})
}

// word reads 8 bytes.
func (r *Runtime) word(address uint64) (uint64, error) {
	var b [8]byte
	err := r.read(address, b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// pointer reads a pointer and refuses one that can be none; nil is 0.
func (r *Runtime) pointer(address uint64) (uint64, error) {
	p, err := r.word(address)
	if err == nil && !isPointer(p) && p != 0 {
		err = fmt.Errorf("%w: %#x at %#x is no pointer", ErrTorn, p, address)
	}
	return p, err
}

// isPointer tells whether a word may be a pointer to something with a pointer in it, in the lower half of the addresses.
func isPointer(p uint64) bool { return p >= 4096 && p < math.MaxInt64 && p%8 == 0 }
