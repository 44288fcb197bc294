//go:build linux

package record

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// Marks are the bits of a user word that do not belong to the address: enum address_mark of bpf/unwind.h.
const Marks = uint64(bpf.CPUAddressMarkBY_FRAME_POINTER | bpf.CPUAddressMarkEXACT_ADDRESS)

// Instruction returns an address within the instruction that frame i was executing. For a return address that is the address
// before it, as in profiles of runtime/pprof.
func Instruction(stack []uint64, i int) uint64 {
	address := stack[i] &^ Marks
	if i == 0 || stack[i]&uint64(bpf.CPUAddressMarkEXACT_ADDRESS) != 0 || address == 0 {
		return address
	}
	return address - 1
}
