package unwind

import (
	"debug/elf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
)

// arch is an architecture.
type arch struct{ *ehframe.Registers }

var (
	amd64 = &arch{ehframe.AMD64}
	arm64 = &arch{ehframe.ARM64}
)

// archOf returns nil for an object of an unsupported architecture. EM_X86_64 is also that of the x32
// ABI, whose objects are of 32 bits.
func archOf(f *object.File) *arch {
	switch f.Machine {
	case elf.EM_X86_64:
		if f.Class == elf.ELFCLASS64 {
			return amd64
		}
	case elf.EM_AARCH64:
		return arm64
	}
	return nil
}

// frameless returns the rule of a function that has put nothing on the stack but, on amd64, its
// return address, and whose stack pointer has moved down by delta bytes since its call.
func (a *arch) frameless(delta int32) Rule {
	if a == amd64 {
		return Rule{CFA: Register, Reg: uint8(a.SP), Offset: delta + 8, RA: AtCFA, RAOffset: -8}
	}
	return Rule{CFA: Register, Reg: uint8(a.SP), Offset: delta}
}

// leaf describes a function that puts nothing on the stack.
func (a *arch) leaf(start, end uint64) described {
	return described{start, end, func(emit func(uint64, Rule)) { emit(start, a.frameless(0)) }}
}
