//go:build linux

package golang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// rateWord is the variable runtime.MemProfileRate of a process and the value to write to it. It is
// sent to the guard as JSON, with the file of its memory. A process may execute another program at
// any time, perhaps one with more privileges, in which another variable is at the same address. That
// one must not be written.
type rateWord struct {
	PID       int
	StartTime uint64 // of the process, as in proc.Process
	Address   uint64
	Old, New  uint64

	// memory is the program's. It is nil if the process belongs to another user and this program
	// lacks CAP_DAC_OVERRIDE. The word is then written while all threads are stopped, so that none
	// can execute another program.
	memory *proc.AddressSpace
	// Mappings identify the program if memory is nil: its code, and the vDSO, to which the kernel
	// gives another random address each time that a program is executed.
	Mappings []proc.Mapping
}

// openRateWord opens the memory for a word of the process that r has read.
func openRateWord(r *Runtime, address, old, value uint64) (rateWord, error) {
	w := rateWord{PID: r.process.PID, StartTime: r.process.StartTime, Address: address, Old: old, New: value}
	mappings, err := r.process.Mappings()
	if err != nil {
		return w, err
	}
	for _, m := range mappings {
		if m == r.mapping || m.Path == proc.VDSOPath {
			w.Mappings = append(w.Mappings, m)
		}
	}
	if w.memory, err = r.process.OpenAddressSpace(); err != nil && !errors.Is(err, fs.ErrPermission) {
		return w, fmt.Errorf("open the memory of process %d: %w", w.PID, err)
	}
	if err := r.VerifyProcess(); err != nil { // if it returns nil, both belong to the program
		return w, errors.Join(err, w.close())
	}
	return w, nil
}

// replace writes a value if the word has the expected one. It is not an error if the word has
// another value, which stays. The error wraps proc.ErrMemoryGone if the process has ended or
// executed another program.
func (w rateWord) replace(expected, value uint64) error {
	if w.memory != nil {
		return w.replaceIn(w.memory, expected, value)
	}
	if err := w.verifyProgram(); err != nil {
		return err
	}
	p := proc.Process{PID: w.PID, StartTime: w.StartTime}
	err := p.WhileAllStopped(func() error {
		if err := w.verifyProgram(); err != nil {
			return err
		}
		return w.replaceIn(stoppedMemory(w.PID), expected, value)
	})
	if err != nil {
		return fmt.Errorf("stop process %d to write runtime.MemProfileRate: %w", w.PID, err)
	}
	return nil
}

// verifyProgram returns an error that wraps proc.ErrMemoryGone unless the process is still there and
// executes the program.
func (w rateWord) verifyProgram() error {
	p, err := proc.Open(w.PID)
	if err != nil || p.StartTime != w.StartTime {
		return fmt.Errorf("process %d: %w", w.PID, proc.ErrMemoryGone)
	}
	mappings, err := p.Mappings()
	if err != nil {
		return err
	}
	for _, m := range w.Mappings {
		if !slices.Contains(mappings, m) {
			return fmt.Errorf("process %d: %w", w.PID, proc.ErrMemoryGone)
		}
	}
	return nil
}

// exists reports whether the program is still executed.
func (w rateWord) exists() bool {
	if w.memory == nil {
		return w.verifyProgram() == nil
	}
	return w.memory.Read(w.Address, make([]byte, 8)) == nil
}

func (w rateWord) close() error {
	if w.memory == nil {
		return nil
	}
	return w.memory.Close()
}

// wordMemory is memory in which a word is written.
type wordMemory interface {
	Read(address uint64, b []byte) error
	Write(address uint64, b []byte) error
}

func (w rateWord) replaceIn(memory wordMemory, expected, value uint64) error {
	var now [8]byte
	if err := memory.Read(w.Address, now[:]); err != nil {
		return fmt.Errorf("runtime.MemProfileRate: %w", err)
	}
	if binary.LittleEndian.Uint64(now[:]) != expected {
		return nil
	}
	binary.LittleEndian.PutUint64(now[:], value)
	if err := memory.Write(w.Address, now[:]); err != nil {
		return fmt.Errorf("runtime.MemProfileRate: %w", err)
	}
	return nil
}

// stoppedMemory is the memory of the process with this PID, all threads of which are stopped.
type stoppedMemory int

func (pid stoppedMemory) Read(address uint64, b []byte) error {
	return proc.ReadMemory(int(pid), address, b)
}

func (pid stoppedMemory) Write(address uint64, b []byte) error {
	return proc.WriteMemory(int(pid), address, b)
}
