//go:build linux

package golang

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
)

// Bounds on one stack. runtime/pprof records 128 frames, 32 up to Go 1.22.
const (
	maxFrames     = 512
	maxStackBytes = 256 << 10
)

// unwinder walks stacks as the runtime does (type unwinder, runtime/traceback.go): with Go's table
// of the stack pointer's offset at each address. It needs no frame pointers.
type unwinder struct {
	r     *Runtime // whose modules have the code
	arm   bool     // arm64: a leaf function has its return address in the link register
	steps map[uint64]step
	lines map[uint64]string // file:line by return address
}

// step is the unwinding step at an address of the process.
type step struct {
	gopclntab.Step      // Entry is an address of the process
	ok             bool // the address is in a Go function
	injected       bool // the runtime injected the call of the function between two instructions
}

// maxSteps bounds each cache; an entry takes about 120 bytes.
const maxSteps = 1 << 16

// stepAt returns the unwinding step at an address of the process.
func (u *unwinder) stepAt(pc uint64) step {
	if s, ok := u.steps[pc]; ok {
		return s
	}
	var s step
	var err error
	m := u.r.moduleAt(pc)
	s.Step, err = m.table.Step(pc - m.bias)
	s.Entry += m.bias
	s.ok = err == nil
	switch s.Name {
	case "runtime.sigpanic", "runtime.asyncPreempt", "runtime.debugCallV2":
		s.injected = true
	case "runtime.cgocallback":
		s.MovesStack = false // stacks can be unwound through it on both sides
	}
	if u.steps == nil || len(u.steps) >= maxSteps {
		u.steps = map[uint64]step{}
	}
	u.steps[pc] = s
	return s
}

// walk unwinds a stack and appends its instruction addresses to out. stack holds the memory at
// address base; more is set if the stack extends beyond it.
func (u *unwinder) walk(out []uint64, r Registers, stack []byte, base uint64, more bool) ([]uint64, End) {
	word := func(address uint64) (uint64, bool) {
		if address < base || address-base > uint64(len(stack)) || uint64(len(stack))-(address-base) < 8 {
			return 0, false
		}
		return binary.LittleEndian.Uint64(stack[address-base:]), true
	}
	missing := Broken
	if more {
		missing = Truncated
	}
	pc, sp, lr, exact := r.PC, r.SP, r.LR, r.Exact
	if pc == 0 { // the program called a nil function
		var ok bool
		if pc, ok = word(sp); !ok {
			return out, Broken
		}
		if lr = 0; !u.arm {
			sp += 8
		}
		exact = false
	}
	for n := 0; n < maxFrames; n++ {
		s := u.stepAt(pc)
		if !s.ok {
			return out, Broken
		}
		if exact || pc == s.Entry {
			out = append(out, pc)
		} else {
			out = append(out, pc-1)
		}
		if s.Top || !s.Known {
			return out, Complete
		}
		if s.MovesStack && !(n == 0 && r.Syscall) {
			return out, Broken
		}
		caller := sp + uint64(s.Delta) // stack pointer of the caller
		if u.arm {
			if n == 0 && sp < caller || lr == 0 {
				var ok bool
				if lr, ok = word(sp); !ok {
					return out, missing
				}
			}
		} else {
			caller += 8
			var ok bool
			if lr, ok = word(caller - 8); !ok {
				return out, missing
			}
		}
		if lr == 0 || lr == pc && caller == sp {
			return out, Broken
		}
		pc, sp, lr, exact = lr, caller, 0, s.injected
		if u.arm && s.injected { // the signal handler pushed the link register
			saved, ok := word(sp)
			if !ok {
				return out, missing
			}
			sp += 16
			if next := u.stepAt(pc); !next.ok {
				pc = saved
			} else if next.Delta == 0 {
				lr = saved
			}
		}
	}
	return out, Truncated
}

// functionName returns the name of the function at an address, "" if there is none.
func (u *unwinder) functionName(pc uint64) string { return u.stepAt(pc).Name }

// callLine returns the file:line of a call by its return address, "" if it is unknown.
func (u *unwinder) callLine(pc uint64) string {
	if text, ok := u.lines[pc]; ok {
		return text
	}
	var text string
	m := u.r.moduleAt(pc - 1)
	if frames, err := m.table.Lookup(pc - m.bias - 1); err == nil && frames[0].File != "" {
		text = fmt.Sprintf("%s:%d", frames[0].File, frames[0].Line)
	}
	if u.lines == nil || len(u.lines) >= maxSteps {
		u.lines = map[uint64]string{}
	}
	u.lines[pc] = text
	return text
}

// isSystem reports whether a goroutine with this start address is a system goroutine, which the
// runtime leaves out of profiles (isSystemGoroutine, runtime/traceback.go). The goroutine that runs
// finalizers and cleanups is not one while it calls the program's code.
func (u *unwinder) isSystem(start uint64, stack []uint64) bool {
	switch name := u.functionName(start); name {
	case "runtime.main", "runtime.corostart", "runtime.handleAsyncEvent":
		return false
	case "runtime.runfinq", "runtime.runFinalizers", "runtime.runCleanups":
		for _, pc := range stack {
			if name := u.functionName(pc); name != "" && !strings.HasPrefix(name, "runtime.") {
				return false
			}
		}
		return true
	default:
		return strings.HasPrefix(name, "runtime.")
	}
}
