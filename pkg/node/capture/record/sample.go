//go:build linux

package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// Sample is one sample as it came through the ring buffer. Its stacks are addresses, leaf first.
type Sample struct {
	Process  ProcessIdentity // of the process
	Parent   ProcessIdentity // from which it was forked, if neither has executed another; else its tgid is 0
	TID, PID uint32
	// In the task's own, innermost PID namespace, 0 if unknown.
	OwnPID, OwnTID  uint32
	End             bpf.CPUWalkEnd
	HasTables       bool // the process's unwind tables were there
	Comm            string
	Time            uint64 // ns, of CLOCK_MONOTONIC
	Kernel          []uint64
	User            []uint64 // with marks
	LinkRegister    uint64   // link register, 0 on amd64
	Top             []uint64 // words at the stack pointer
	HasLabels       bool     // the goroutine's labels came before it
	State           bpf.CPUWaitState
	Serial          uint64 // of a wait, which is told by a record of its own; else 0
	Group           uint64 // of waits at the same place, if it is one
	RepresentsGroup bool   // it stands for others of its group
	Period          uint64 // what happened since the sample before, in the unit of the event
}

// ProcessIdentity identifies what a process runs: its PID may come again, and execve keeps it.
type ProcessIdentity struct {
	TGID    uint32 // in the kernel's first PID namespace
	Execs   uint32
	Started uint64 // ns since boot
}

// sampleHeader is the size of struct sample before its stack.
const sampleHeader = unsafe.Offsetof(bpf.CPUSample{}.Stack)

// ParseSample reads struct sample of bpf/sample.h, cut after its last frame.
func ParseSample(raw []byte) (Sample, error) {
	if len(raw) < int(sampleHeader) {
		return Sample{}, fmt.Errorf("sample of %d bytes, its header has %d", len(raw), sampleHeader)
	}
	order := binary.NativeEndian
	at := func(offset uintptr) uint32 { return order.Uint32(raw[offset:]) }
	var layout bpf.CPUSample
	kernel := int(order.Uint16(raw[unsafe.Offsetof(layout.KernelFrames):]))
	user := int(order.Uint16(raw[unsafe.Offsetof(layout.UserWords):]))
	comm := raw[unsafe.Offsetof(layout.Comm):][:len(layout.Comm)]
	programAt := func(offset uintptr) ProcessIdentity {
		return ProcessIdentity{
			TGID:    at(offset + unsafe.Offsetof(layout.Process.Tgid)),
			Execs:   at(offset + unsafe.Offsetof(layout.Process.Execs)),
			Started: order.Uint64(raw[offset+unsafe.Offsetof(layout.Process.Started):]),
		}
	}
	s := Sample{
		Process: programAt(unsafe.Offsetof(layout.Process)), Parent: programAt(unsafe.Offsetof(layout.Parent)),
		TID: at(unsafe.Offsetof(layout.Tid)), PID: at(unsafe.Offsetof(layout.Pid)),
		OwnPID: at(unsafe.Offsetof(layout.OwnPid)), OwnTID: at(unsafe.Offsetof(layout.OwnTid)),
		End:       bpf.CPUWalkEnd(order.Uint16(raw[unsafe.Offsetof(layout.End):])),
		HasLabels: at(unsafe.Offsetof(layout.HasLabels)) != 0,
		HasTables: order.Uint16(raw[unsafe.Offsetof(layout.HasTables):]) != 0,
	}
	if end := bytes.IndexByte(comm, 0); end >= 0 {
		comm = comm[:end]
	}
	s.Comm = string(comm)
	stack := raw[sampleHeader:]
	if len(stack) < 8*(kernel+user) {
		return Sample{}, fmt.Errorf("sample of %d bytes is too short for its %d frames", len(raw), kernel+user)
	}
	s.State = bpf.CPUWaitState(at(unsafe.Offsetof(layout.State)))
	s.Serial = order.Uint64(raw[unsafe.Offsetof(layout.Serial):])
	s.RepresentsGroup = at(unsafe.Offsetof(layout.RepresentsGroup)) != 0
	s.Group = order.Uint64(raw[unsafe.Offsetof(layout.Group):])
	s.Period = order.Uint64(raw[unsafe.Offsetof(layout.Period):])
	s.Time = order.Uint64(raw[unsafe.Offsetof(layout.Time):])
	s.LinkRegister = order.Uint64(raw[unsafe.Offsetof(layout.LinkRegister):])
	s.Top = Words(raw[unsafe.Offsetof(layout.Top):], len(layout.Top))
	s.Kernel = Words(stack, kernel)
	s.User = Words(stack[8*kernel:], user)
	return s, nil
}

func Words(raw []byte, n int) []uint64 {
	all := make([]uint64, n)
	for i := range all {
		all[i] = binary.NativeEndian.Uint64(raw[8*i:])
	}
	return all
}
