package goruntime

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultMemProfileRate is what runtime.MemProfileRate begins with (runtime/mprof.go).
const defaultMemProfileRate = 512 << 10

// Switch is a memory profile that we have turned on.
type Switch struct {
	target  rateWord
	guard   *guard
	restore bool
}

// rateWord is where runtime.MemProfileRate is in a process, and what we write there.
type rateWord struct {
	PID       int
	StartTime uint64 // of the process, as in proc.Process
	Address   uint64
	Old, New  uint64
}

// EnableMemProfile makes the runtime sample its allocations, one in rate bytes, until the Switch is turned off; nil if it
// does so already. It writes one word of the process's memory, and nothing if anything is not as expected. Another process
// of ours writes the old value back should we die before.
func (r *Runtime) EnableMemProfile(rate int) (*Switch, error) {
	old, err := r.memProfileRate()
	if err != nil || old != 0 {
		return nil, err
	}
	if err := r.checkRateVariable(); err != nil {
		return nil, err
	}
	if err := r.Check(); err != nil {
		return nil, err
	}
	address, err := r.variable("runtime.MemProfileRate")
	if err != nil {
		return nil, err
	}
	s := &Switch{target: rateWord{r.process.PID, r.process.StartTime, address, uint64(old), uint64(rate)}}
	if s.guard, err = startGuard(s.target); err != nil {
		return nil, err
	}
	s.restore = true // from here on it may have been written
	if err := s.target.replace(s.target.Old, s.target.New); err != nil {
		s.Off()
		return nil, err
	}
	return s, nil
}

// checkRateVariable makes sure that what was found is runtime.MemProfileRate: symbols and machine code agree, and the
// executable gives it the value that the runtime's source does.
func (r *Runtime) checkRateVariable() error {
	const name = "runtime.MemProfileRate"
	address, err := newCodeSearch(r).find(name)
	if err != nil {
		return fmt.Errorf("%w: nothing is written: %w", ErrUnsupported, err)
	}
	if known := r.variables[name]; known != address {
		return fmt.Errorf("%w: nothing is written: %s is at %#x by its symbol, at %#x by the machine code", ErrUnsupported, name, known, address)
	}
	var b [8]byte
	if err := readFile(r.exe, b[:], address); err != nil {
		return fmt.Errorf("%w: nothing is written: %s: %w", ErrUnsupported, name, err)
	}
	if v := binary.LittleEndian.Uint64(b[:]); v != defaultMemProfileRate {
		return fmt.Errorf("%w: nothing is written: %s begins with %d in the executable, not with %d", ErrUnsupported, name, v, defaultMemProfileRate)
	}
	return nil
}

// Off writes the old value back, unless the program has set another one meanwhile. It may be called again.
func (s *Switch) Off() error {
	if s == nil || !s.restore {
		return nil
	}
	s.restore = false
	err := s.target.replace(s.target.New, s.target.Old)
	s.guard.dismiss()
	return err
}

// replace writes a value if the word has the expected one; if it has another it stays, and that is no error. A process
// that has ended needs nothing.
func (w rateWord) replace(expected, value uint64) error {
	if ended(w.PID, w.StartTime) {
		return nil
	}
	now := make([]byte, 8)
	if _, err := transfer(unix.ProcessVMReadv, w, now); err != nil {
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

func transfer(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), w rateWord, b []byte) (int, error) {
	local := unix.Iovec{Base: unsafe.SliceData(b)}
	local.SetLen(len(b))
	return call(w.PID, []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(w.Address), Len: len(b)}}, 0)
}
