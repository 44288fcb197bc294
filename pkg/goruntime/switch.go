package goruntime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultMemProfileRate is what runtime.MemProfileRate begins with (runtime/mprof.go).
const defaultMemProfileRate = 512 << 10

// Switches are the memory profiles that we have turned on. The zero value is ready.
type Switches struct {
	guard *guard
	words []rateWord
}

// rateWord is where runtime.MemProfileRate is in a process, and what we write there.
type rateWord struct {
	PID       int
	StartTime uint64 // of the process, as in proc.Process
	Address   uint64
	Old, New  uint64
}

// written counts who wants each word that this program has written: captures at the same time share it, and the last one
// writes the old value back.
var written struct {
	sync.Mutex
	users map[rateWord]int
}

// On makes a program's runtime sample its allocations, one in rate bytes, until Off; it gives false if the program
// does so already and not because of us. It writes one word of the process's memory, and nothing if anything is not as
// expected. Another process of ours writes the old values back should we die before.
func (s *Switches) On(r *Runtime, rate int) (bool, error) {
	written.Lock()
	defer written.Unlock()
	now, err := r.memProfileRate()
	if err != nil {
		return false, err
	}
	word, shared := rateWord{}, false
	for w := range written.users {
		if w.PID == r.process.PID && w.StartTime == r.process.StartTime && w.New == uint64(now) {
			word, shared = w, true
		}
	}
	if now != 0 && !shared {
		return false, nil
	}
	if !shared {
		if word, err = r.rateWord(uint64(now), uint64(rate)); err != nil {
			return false, err
		}
	}
	if s.guard == nil {
		if s.guard, err = startGuard(); err != nil {
			return false, err
		}
	}
	if err := s.guard.watch(word); err != nil {
		return false, err
	}
	s.words = append(s.words, word) // from here on it may have been written
	if written.users == nil {
		written.users = map[rateWord]int{}
	}
	written.users[word]++
	if shared {
		return true, nil
	}
	if err := word.replace(word.Old, word.New); err != nil {
		return false, err
	}
	if now, err := r.memProfileRate(); err != nil || now != int64(rate) {
		return false, errors.Join(fmt.Errorf("runtime.MemProfileRate is %d and not the %d that was written: the program sets it itself", now, rate), err)
	}
	return true, nil
}

// rateWord is what is to be written, if all is as expected.
func (r *Runtime) rateWord(old, rate uint64) (rateWord, error) {
	if err := r.checkRateVariable(); err != nil {
		return rateWord{}, err
	}
	if err := r.Check(); err != nil {
		return rateWord{}, err
	}
	address, err := r.variable("runtime.MemProfileRate")
	return rateWord{r.process.PID, r.process.StartTime, address, old, rate}, err
}

// Off writes the old values back, but where a program has set another one meanwhile or another capture still wants ours.
// It may be called again.
func (s *Switches) Off() error {
	written.Lock()
	defer written.Unlock()
	var errs []error
	for _, w := range s.words {
		if written.users[w]--; written.users[w] > 0 {
			continue
		}
		delete(written.users, w)
		errs = append(errs, w.replace(w.New, w.Old))
	}
	s.words = nil
	if s.guard != nil {
		s.guard.dismiss()
		s.guard = nil
	}
	return errors.Join(errs...)
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
