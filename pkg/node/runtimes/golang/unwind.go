//go:build linux

package golang

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
)

// Bounds on what is read of one stack. runtime/pprof has 128 frames, 32 up to Go 1.22.
const (
	maxFrames     = 512
	maxStackBytes = 256 << 10
)

// unwinder walks stacks by Go's own table of how far the stack pointer has moved at each address, as the runtime
// does (runtime/traceback.go, type unwinder): this needs no frame pointers, and stacks grow and move.
type unwinder struct {
	table *gopclntab.Table
	bias  uint64 // what is added to the file's addresses in the process
	arm   bool   // the return address of a function that has called none is in a register
	steps map[uint64]step
	lines map[uint64]string // that were looked up, by return address
}

// step is gopclntab's for an address of the process.
type step struct {
	gopclntab.Step
	ok       bool // there is a function
	injected bool // the runtime has put its call between two instructions
}

// maxSteps bounds the answers that are kept, some 120 bytes each.
const maxSteps = 1 << 16

func (u *unwinder) stepAt(pc uint64) step {
	if s, ok := u.steps[pc]; ok {
		return s
	}
	var s step
	var err error
	s.Step, err = u.table.Step(pc - u.bias)
	s.ok = err == nil
	switch s.Name {
	case "runtime.sigpanic", "runtime.asyncPreempt", "runtime.debugCallV2":
		s.injected = true
	case "runtime.cgocallback":
		s.MovesStack = false // both stacks can be unwound through it
	}
	if u.steps == nil || len(u.steps) >= maxSteps {
		u.steps = map[uint64]step{}
	}
	u.steps[pc] = s
	return s
}

// walk appends the addresses of a stack's instructions to out. The stack's bytes are those from an address on;
// more says that not all were read.
func (u *unwinder) walk(out []uint64, r Registers, stack []byte, from uint64, more bool) ([]uint64, End) {
	word := func(address uint64) (uint64, bool) {
		if address < from || address-from > uint64(len(stack)) || uint64(len(stack))-(address-from) < 8 {
			return 0, false
		}
		return binary.LittleEndian.Uint64(stack[address-from:]), true
	}
	missing := Broken
	if more {
		missing = Truncated
	}
	pc, sp, lr, exact := r.PC, r.SP, r.LR, r.Exact
	if pc == 0 { // a call of a nil function
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
		if exact || pc == s.Entry+u.bias {
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
		caller := sp + uint64(s.Delta) // the stack pointer there
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
		if u.arm && s.injected { // the signal handler has saved the link register below
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

// function names the function at an address; "" if there is none.
func (u *unwinder) functionName(pc uint64) string { return u.stepAt(pc).Name }

// callLine gives file:line of a call by the address that it returns to; "" if it is not known.
func (u *unwinder) callLine(to uint64) string {
	if text, ok := u.lines[to]; ok {
		return text
	}
	var text string
	if frames, err := u.table.Lookup(to - u.bias - 1); err == nil && frames[0].File != "" {
		text = fmt.Sprintf("%s:%d", frames[0].File, frames[0].Line)
	}
	if u.lines == nil || len(u.lines) >= maxSteps {
		u.lines = map[uint64]string{}
	}
	u.lines[to] = text
	return text
}

// system tells whether the runtime leaves a goroutine that begins there out of profiles: isSystemGoroutine of
// runtime/traceback.go. The one that runs finalizers and cleanups is let in while it has called the program's code.
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
