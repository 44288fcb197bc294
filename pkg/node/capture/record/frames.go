//go:build linux

package record

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// Marks are the bits of an address that are none: see enum address_mark of bpf/unwind.h.
const Marks = uint64(bpf.CPUAddressMarkBY_FRAME_POINTER | bpf.CPUAddressMarkEXACT_ADDRESS)

// Instruction is the address of a frame's instruction, and of a caller's one within the call, as
// runtime/pprof has it.
func Instruction(stack []uint64, i int) uint64 {
	address := stack[i] &^ Marks
	if i == 0 || stack[i]&uint64(bpf.CPUAddressMarkEXACT_ADDRESS) != 0 || address == 0 {
		return address
	}
	return address - 1
}
