//go:build linux

package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// Sample is struct sample of bpf/sample.h, decoded. Its stacks are leaf first.
type Sample struct {
	Process         ProcessIdentity
	Parent          ProcessIdentity // TGID is 0 if the process has called execve since the fork
	TID             uint32          // in the initial PID namespace
	PID             uint32          // in our PID namespace, 0 if unknown
	OwnPID, OwnTID  uint32          // in the task's innermost PID namespace, 0 if unknown
	End             bpf.CPUWalkEnd
	HasTables       bool     // the process has unwind tables
	Comm            string   // name of the thread
	Time            uint64   // CLOCK_MONOTONIC, ns
	Kernel          []uint64 // addresses
	User            Stack
	LinkRegister    uint64            // of the leaf, 0 on amd64
	Top             []uint64          // words at the user stack pointer
	Labels          bpf.CPULabelState // whether the goroutine's labels were sent before the sample
	State           bpf.CPUWaitState  // of a wait
	Serial          uint64            // of a wait, to which its total refers; 0 for other samples
	Group           uint64            // serial of the first wait walked at the same place
	RepresentsGroup bool              // the wait was drawn at random among the waits of its group
	Period          uint64            // what a sample of a perf event stands for, in the event's unit
}

// ProcessIdentity identifies the program that a process runs. A PID alone does not: it may be
// reused, and execve keeps it.
type ProcessIdentity struct {
	TGID    uint32 // in the initial PID namespace
	Execs   uint32 // execve calls of the process and its ancestors
	Started uint64 // CLOCK_BOOTTIME, ns
}

// sampleHeader is the size of struct sample before its stack.
const sampleHeader = unsafe.Offsetof(bpf.CPUSample{}.Stack)

// ParseSample decodes struct sample of bpf/sample.h, which ends after its last word.
func ParseSample(raw []byte) (Sample, error) {
	if len(raw) < int(sampleHeader) {
		return Sample{}, fmt.Errorf("sample of %d bytes is shorter than its header of %d", len(raw), sampleHeader)
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
		Labels:    bpf.CPULabelState(at(unsafe.Offsetof(layout.Labels))),
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

// Words decodes the first n words of raw, in the byte order of the machine. raw must have them.
func Words(raw []byte, n int) []uint64 {
	all := make([]uint64, n)
	for i := range all {
		all[i] = binary.NativeEndian.Uint64(raw[8*i:])
	}
	return all
}
