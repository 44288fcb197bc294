//go:build linux

package golang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// defaultMemProfileRate is the initial value of runtime.MemProfileRate (runtime/mprof.go).
const defaultMemProfileRate = 512 << 10

// MemProfileSwitch keeps the memory profile of a process turned on until Off is called. Captures at
// the same time each have a switch; the last Off turns the profile off.
type MemProfileSwitch struct{ on *written } // nil after Off

// written is a word that was written to a process.
type written struct {
	target rateWord
	users  int // switches that are on
}

// switches holds the memory profiles that this program has turned on.
var switches struct {
	sync.Mutex
	on    []*written
	guard *guard // restores all of them; nil if there are none
}

// EnableMemProfile makes the runtime sample its allocations, on average one in rate bytes, until
// Off is called on the result. It returns nil if the program itself samples already; its rate
// stays. It writes one word of the process's memory, and nothing if any check fails. If this
// program dies before Off, the guard restores the old value.
func (r *Runtime) EnableMemProfile(rate int) (*MemProfileSwitch, error) {
	switches.Lock()
	defer switches.Unlock()
	address, err := r.variable("runtime.MemProfileRate")
	if err != nil {
		return nil, err
	}
	for _, w := range switches.on {
		sameProcess := w.target.PID == r.process.PID && w.target.StartTime == r.process.StartTime
		if sameProcess && w.target.Address == address && w.target.exists() {
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
	word, err := openRateWord(r, address, uint64(old), uint64(rate))
	if err != nil {
		return nil, err
	}
	if switches.guard == nil {
		if switches.guard, err = startGuard(); err != nil {
			return nil, errors.Join(err, word.close())
		}
	}
	w := &written{word, 1}
	switches.on = append(switches.on, w)
	s := &MemProfileSwitch{w}
	err = switches.guard.watch(w.target)
	if err == nil {
		err = w.target.replace(w.target.Old, w.target.New)
	}
	if err == nil {
		err = r.expectRate(rate)
	}
	if err != nil {
		return nil, errors.Join(err, s.off()) // the word may have been written
	}
	return s, nil
}

// expectRate returns an error if runtime.MemProfileRate is not the rate that was written.
func (r *Runtime) expectRate(rate int) error {
	now, err := r.memProfileRate()
	if err == nil && now != int64(rate) {
		err = fmt.Errorf("runtime.MemProfileRate is %d, not %d as written: the program sets it itself", now, rate)
	}
	return err
}

// checkRateVariable verifies that the address found is that of runtime.MemProfileRate: the symbol,
// if there is one, and the machine code lead to the same address, and its initial value in the
// executable is the one in the runtime's source. Up to Go 1.19, whose executables do not have the
// value, a second function has to use the address. The error wraps ErrUnsupported.
func (r *Runtime) checkRateVariable() error {
	const name = "runtime.MemProfileRate"
	byCode := newCodeSearch(r)
	address, err := byCode.find(name)
	if err != nil {
		return fmt.Errorf("%w: nothing is written: %w", ErrUnsupported, err)
	}
	if known := r.variables[name]; known != address {
		return fmt.Errorf("%w: nothing is written: its symbol places %s at %#x, the machine code at %#x", ErrUnsupported, name, known, address)
	}
	if r.minor <= newestSetByCode {
		refs, err := byCode.references(parseDebugVars)
		if err != nil {
			return fmt.Errorf("%w: nothing is written: %w", ErrUnsupported, err)
		}
		if !slices.ContainsFunc(refs, func(ref reference) bool { return ref.address == address }) {
			return fmt.Errorf("%w: nothing is written: %s does not use %s at %#x", ErrUnsupported, parseDebugVars, name, address)
		}
		return nil
	}
	var b [8]byte
	if _, err := r.exe.ReadAddress(b[:], address); err != nil {
		return fmt.Errorf("%w: nothing is written: %s: %w", ErrUnsupported, name, err)
	}
	if v := binary.LittleEndian.Uint64(b[:]); v != defaultMemProfileRate {
		return fmt.Errorf("%w: nothing is written: %s is %d in the executable instead of %d", ErrUnsupported, name, v, defaultMemProfileRate)
	}
	return nil
}

// Off writes the old value back if no other switch needs the profile, unless the program has set
// another value since. Further calls do nothing.
func (s *MemProfileSwitch) Off() error {
	if s == nil {
		return nil
	}
	switches.Lock()
	defer switches.Unlock()
	return s.off()
}

// off is Off for callers that hold the lock of switches.
func (s *MemProfileSwitch) off() error {
	w := s.on
	if s.on = nil; w == nil {
		return nil
	}
	if w.users--; w.users > 0 {
		return nil
	}
	err := w.target.replace(w.target.New, w.target.Old)
	if errors.Is(err, proc.ErrMemoryGone) {
		err = nil // the word has gone with the memory
	}
	w.target.close()
	switches.on = slices.DeleteFunc(switches.on, func(other *written) bool { return other == w })
	if len(switches.on) == 0 && switches.guard != nil {
		switches.guard.dismiss(err == nil)
		switches.guard = nil
	}
	return err
}
