//go:build linux

package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// sample is one sample as it came through the ring buffer. Its stacks are addresses, leaf first.
type sample struct {
	program  program // of the process
	parent   program // from which it was forked, if neither has executed another; else its tgid is 0
	tid, pid uint32
	// In the task's own, innermost PID namespace, 0 if unknown.
	ownPID, ownTID uint32
	end            bpf.CPUWalkEnd
	known          bool // the process's unwind tables were there
	comm           string
	time           uint64 // ns, of CLOCK_MONOTONIC
	kernel         []uint64
	user           []uint64 // with marks
	link           uint64   // link register, 0 on amd64
	top            []uint64 // words at the stack pointer
	labelled       bool     // the goroutine's labels came before it
	state          bpf.CPUWaitState
	serial         uint64 // of a wait, which is told by a record of its own; else 0
	group          uint64 // of waits at the same place, if it is one
	byChance       bool   // it stands for others of its group
	period         uint64 // what happened since the sample before, in the unit of the event
}

// program identifies what a process runs: its PID may come again, and execve keeps it.
type program struct {
	tgid    uint32 // in the kernel's first PID namespace
	execs   uint32
	started uint64 // ns since boot
}

// sampleHeader is the size of struct sample before its stack.
const sampleHeader = unsafe.Offsetof(bpf.CPUSample{}.Stack)

// parseSample reads struct sample of bpf/sample.h, cut after its last frame.
func parseSample(raw []byte) (sample, error) {
	if len(raw) < int(sampleHeader) {
		return sample{}, fmt.Errorf("sample of %d bytes, its header has %d", len(raw), sampleHeader)
	}
	order := binary.NativeEndian
	at := func(offset uintptr) uint32 { return order.Uint32(raw[offset:]) }
	var layout bpf.CPUSample
	kernel := int(order.Uint16(raw[unsafe.Offsetof(layout.KernelFrames):]))
	user := int(order.Uint16(raw[unsafe.Offsetof(layout.UserWords):]))
	comm := raw[unsafe.Offsetof(layout.Comm):][:len(layout.Comm)]
	programAt := func(offset uintptr) program {
		return program{
			tgid:    at(offset + unsafe.Offsetof(layout.Process.Tgid)),
			execs:   at(offset + unsafe.Offsetof(layout.Process.Execs)),
			started: order.Uint64(raw[offset+unsafe.Offsetof(layout.Process.Started):]),
		}
	}
	s := sample{
		program: programAt(unsafe.Offsetof(layout.Process)), parent: programAt(unsafe.Offsetof(layout.Parent)),
		tid: at(unsafe.Offsetof(layout.Tid)), pid: at(unsafe.Offsetof(layout.Pid)),
		ownPID: at(unsafe.Offsetof(layout.OwnPid)), ownTID: at(unsafe.Offsetof(layout.OwnTid)),
		end:      bpf.CPUWalkEnd(order.Uint16(raw[unsafe.Offsetof(layout.End):])),
		labelled: at(unsafe.Offsetof(layout.HasLabels)) != 0,
		known:    order.Uint16(raw[unsafe.Offsetof(layout.HasTables):]) != 0,
	}
	if end := bytes.IndexByte(comm, 0); end >= 0 {
		comm = comm[:end]
	}
	s.comm = string(comm)
	stack := raw[sampleHeader:]
	if len(stack) < 8*(kernel+user) {
		return sample{}, fmt.Errorf("sample of %d bytes is too short for its %d frames", len(raw), kernel+user)
	}
	s.state = bpf.CPUWaitState(at(unsafe.Offsetof(layout.State)))
	s.serial = order.Uint64(raw[unsafe.Offsetof(layout.Serial):])
	s.byChance = at(unsafe.Offsetof(layout.RepresentsGroup)) != 0
	s.group = order.Uint64(raw[unsafe.Offsetof(layout.Group):])
	s.period = order.Uint64(raw[unsafe.Offsetof(layout.Period):])
	s.time = order.Uint64(raw[unsafe.Offsetof(layout.Time):])
	s.link = order.Uint64(raw[unsafe.Offsetof(layout.LinkRegister):])
	s.top = words(raw[unsafe.Offsetof(layout.Top):], len(layout.Top))
	s.kernel = words(stack, kernel)
	s.user = words(stack[8*kernel:], user)
	return s, nil
}

func words(raw []byte, n int) []uint64 {
	all := make([]uint64, n)
	for i := range all {
		all[i] = binary.NativeEndian.Uint64(raw[8*i:])
	}
	return all
}
