//go:build linux

package record

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// FrameKind is the kind of a frame of a user stack.
type FrameKind uint8

const (
	// NativeFrame is a frame of machine code. Its address names it.
	NativeFrame FrameKind = iota
	// RuntimeFrame is a frame that a language runtime describes by its payload.
	RuntimeFrame
)

// Frame is one frame of a user stack.
type Frame struct {
	Kind           FrameKind
	ByFramePointer bool      // its address was found by a frame pointer
	Exact          bool      // Address is that of an instruction though the frame is not the leaf
	Address        uint64    // of the instruction of a leaf, the return address of a caller
	Payload        [2]uint64 // of a RuntimeFrame
}

// Stack is a user stack as the BPF program records it, leaf first: a word for each frame, its
// address with the marks of enum address_mark (bpf/unwind.h), and the payload words of runtime
// frames.
type Stack []uint64

// payloadWords follow the word of a runtime frame.
const payloadWords = len(Frame{}.Payload)

// addressLimit is above all addresses of user space: they have at most 56 bits, on amd64 with five
// levels of page tables.
const addressLimit = 1 << 56

const (
	marks    = uint64(bpf.CPUAddressMarkBY_FRAME_POINTER | bpf.CPUAddressMarkEXACT_ADDRESS)
	allMarks = marks | uint64(bpf.CPUAddressMarkRUNTIME_FRAME)
)

// isRuntimeFrame reports whether payload words follow a word. The page [vsyscall] has addresses in
// which all marks are set.
func isRuntimeFrame(word uint64) bool {
	return word&uint64(bpf.CPUAddressMarkRUNTIME_FRAME) != 0 && word&^allMarks < addressLimit
}

// NativeStack returns a stack of native frames at addresses, which may be anything. It may share
// their memory.
func NativeStack(addresses []uint64) Stack {
	s := Stack(addresses)
	for i, a := range s {
		if isRuntimeFrame(a) {
			if &s[0] == &addresses[0] {
				s = append(Stack(nil), addresses...)
			}
			s[i] = a &^ allMarks
		}
	}
	return s
}

// Leaf returns the address of the leaf's instruction, and false if the stack is empty or its leaf
// is not native.
func (s Stack) Leaf() (uint64, bool) {
	if len(s) == 0 || isRuntimeFrame(s[0]) {
		return 0, false
	}
	return s[0] &^ marks, true
}

// AppendFrames appends the stack's frames to frames. A payload that is cut off ends the stack.
func (s Stack) AppendFrames(frames []Frame) []Frame {
	for len(s) > 0 {
		word := s[0]
		f := Frame{
			Address:        word &^ marks,
			ByFramePointer: word&uint64(bpf.CPUAddressMarkBY_FRAME_POINTER) != 0,
			Exact:          word&uint64(bpf.CPUAddressMarkEXACT_ADDRESS) != 0,
		}
		s = s[1:]
		if isRuntimeFrame(word) {
			if len(s) < payloadWords {
				return frames
			}
			f.Kind, f.Address = RuntimeFrame, word&^allMarks
			f.Payload = [payloadWords]uint64(s[:payloadWords])
			s = s[payloadWords:]
		}
		frames = append(frames, f)
	}
	return frames
}

// Append appends a frame of a kind at the address of its instruction.
func (s Stack) Append(kind FrameKind, address uint64, payload [2]uint64) Stack {
	if kind == RuntimeFrame {
		return append(s, address|uint64(bpf.CPUAddressMarkRUNTIME_FRAME), payload[0], payload[1])
	}
	return append(s, address)
}

// Instruction returns an address within the instruction that frame i was executing. For a return
// address that is the address before it, as in profiles of runtime/pprof.
func Instruction(frames []Frame, i int) uint64 {
	f := &frames[i]
	if i == 0 || f.Exact || f.Address == 0 {
		return f.Address
	}
	return f.Address - 1
}
