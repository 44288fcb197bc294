//go:build linux

package golang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultMemProfileRate is what runtime.MemProfileRate begins with (runtime/mprof.go).
const defaultMemProfileRate = 512 << 10

// MemProfileSwitch is a memory profile that we have turned on, for one of those who want it.
type MemProfileSwitch struct{ on *written } // nil when it is off

// written is what was written, for all of those who want it at once.
type written struct {
	target rateWord
	users  int
}

// switches are the memory profiles that this program has turned on: captures at the same time share one.
var switches struct {
	sync.Mutex
	on    []*written
	guard *guard // of all of them; nil if there are none
}

// rateWord is where runtime.MemProfileRate is in a process, and what we write there.
type rateWord struct {
	PID       int
	StartTime uint64 // of the process, as in proc.Process
	Address   uint64
	Old, New  uint64
}

// EnableMemProfile makes the runtime sample its allocations, one in rate bytes, until the Switch is turned off; nil if it
// does so already and not because of us, in which case the rate stays. It writes one word of the process's memory, and nothing if anything is
// not as expected. Another process of ours writes the old value back should we die before.
func (r *Runtime) EnableMemProfile(rate int) (*MemProfileSwitch, error) {
	switches.Lock()
	defer switches.Unlock()
	for _, w := range switches.on {
		if w.target.PID == r.process.PID && w.target.StartTime == r.process.StartTime {
			w.users++
			return &MemProfileSwitch{on: w}, nil
		}
	}
	old, err := r.memProfileRate()
	if err != nil || old != 0 {
		return nil, err
	}
	if err := r.checkRateVariable(); err != nil {
		return nil, err
	}
	address, err := r.variable("runtime.MemProfileRate")
	if err != nil {
		return nil, err
	}
	if switches.guard == nil {
		if switches.guard, err = startGuard(); err != nil {
			return nil, err
		}
	}
	w := &written{rateWord{r.process.PID, r.process.StartTime, address, uint64(old), uint64(rate)}, 1}
	switches.on = append(switches.on, w)
	s := &MemProfileSwitch{w}
	err = switches.guard.watch(w.target)
	if err == nil { // as late as can be: the process may execute another program at any time
		err = r.VerifyProcess()
	}
	if err == nil {
		err = w.target.replace(w.target.Old, w.target.New)
	}
	if err == nil {
		err = r.expectRate(rate)
	}
	if err != nil {
		return nil, errors.Join(err, s.off()) // it may have been written
	}
	return s, nil
}

func (r *Runtime) expectRate(rate int) error {
	now, err := r.memProfileRate()
	if err == nil && now != int64(rate) {
		err = fmt.Errorf("runtime.MemProfileRate is %d and not the %d that was written: the program sets it itself", now, rate)
	}
	return err
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
	if _, err := r.exe.ReadAddress(b[:], address); err != nil {
		return fmt.Errorf("%w: nothing is written: %s: %w", ErrUnsupported, name, err)
	}
	if v := binary.LittleEndian.Uint64(b[:]); v != defaultMemProfileRate {
		return fmt.Errorf("%w: nothing is written: %s begins with %d in the executable, not with %d", ErrUnsupported, name, v, defaultMemProfileRate)
	}
	return nil
}

// Off writes the old value back when nobody wants the profile any more, unless the program has set another one meanwhile.
// It may be called again.
func (s *MemProfileSwitch) Off() error {
	if s == nil {
		return nil
	}
	switches.Lock()
	defer switches.Unlock()
	return s.off()
}

// off is Off for those who hold the lock.
func (s *MemProfileSwitch) off() error {
	w := s.on
	if s.on = nil; w == nil {
		return nil
	}
	if w.users--; w.users > 0 {
		return nil
	}
	err := w.target.replace(w.target.New, w.target.Old)
	switches.on = slices.DeleteFunc(switches.on, func(other *written) bool { return other == w })
	if len(switches.on) == 0 && switches.guard != nil {
		switches.guard.dismiss(err == nil)
		switches.guard = nil
	}
	return err
}

// replace writes a value if the word has the expected one; if it has another it stays, and that is no error. A process
// that has ended needs nothing.
func (w rateWord) replace(expected, value uint64) error {
	if hasEnded(w.PID, w.StartTime) {
		return nil
	}
	now := make([]byte, 8)
	switch _, err := transfer(unix.ProcessVMReadv, w, now); {
	case errors.Is(err, unix.EFAULT): // it has executed another program, which has nothing there
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

func transfer(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), w rateWord, b []byte) (int, error) {
	local := unix.Iovec{Base: unsafe.SliceData(b)}
	local.SetLen(len(b))
	return call(w.PID, []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(w.Address), Len: len(b)}}, 0)
}
