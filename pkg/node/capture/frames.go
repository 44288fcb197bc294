//go:build linux

package capture

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// marks are the bits of an address that are none: see enum address_mark of bpf/unwind.h.
const marks = uint64(bpf.CPUAddressMarkBY_FRAME_POINTER | bpf.CPUAddressMarkEXACT_ADDRESS)

// instruction is the address of a frame's instruction, and of a caller's one within the call, as
// runtime/pprof has it.
func instruction(stack []uint64, i int) uint64 {
	address := stack[i] &^ marks
	if i == 0 || stack[i]&uint64(bpf.CPUAddressMarkEXACT_ADDRESS) != 0 || address == 0 {
		return address
	}
	return address - 1
}
