//go:build linux

package waits

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Threads that sleep when the capture begins may do so to its end, and never come past the BPF program at switches. A
// list of the kernel's has their registers and the kernel's half of their stacks. The user's half is walked by the
// same program as all others: it can read the memory of the current process only, so this thread copies the sleeper's
// stack, says where it lies, and gives up the CPU in its place.

// What is copied of a sleeper's stack; one that is deeper breaks there.
const (
	maxStackCopy  = 128 << 10
	stackPageSize = 4 << 10 // on the architectures that we support at least
)

// sleeper is struct sleeper of bpf/waits.bpf.c.
type sleeper struct {
	reader  uint32           // our own thread, in the kernel's first PID namespace
	control bpf.WaitsControl // with its registers
	sample  record.Sample    // without the user's half of the stack
}

// findSleepers makes the threads known that sleep.
func (w *Tracker) findSleepers() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all, err := w.listSleepers()
	if err != nil {
		return kernel.Explain("list the threads that sleep", err)
	}
	stack := make([]byte, maxStackCopy)
	for i := range all {
		all[i].sample.Serial = uint64(i+1)<<serialCPUBits | (1<<serialCPUBits - 1) // no CPU has this number: see maxCPUs
		all[i].sample.Group = all[i].sample.Serial
		if err := w.found(&all[i], stack); err != nil {
			return fmt.Errorf("stack of a thread that sleeps: %w", err)
		}
	}
	return w.forgetEnded(all)
}

// forgetEnded takes those back that ended before they were made known: nothing would tell their end.
func (w *Tracker) forgetEnded(all []sleeper) error {
	now, err := w.listSleepers()
	if err != nil {
		return kernel.Explain("list the threads that sleep", err)
	}
	sleeps := map[uint32]bool{}
	for i := range now {
		sleeps[now[i].sample.TID] = true
	}
	for i := range all {
		s := &all[i].sample
		var t bpf.WaitsThread
		if sleeps[s.TID] || w.maps.Threads.Lookup(s.TID, &t) != nil {
			continue
		}
		if t.WaitingSince == w.begin && t.Places[bpf.WaitsPlaceKindPLACE_FIRST_WAIT].Serial == s.Serial { // one that wakes just now becomes known again
			if err := w.maps.Threads.Delete(s.TID); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
				return fmt.Errorf("forget a thread that ended: %w", err)
			}
		}
	}
	return nil
}

func (w *Tracker) listSleepers() ([]sleeper, error) {
	iter, err := link.AttachIter(link.IterOptions{Program: w.maps.ListSleepers})
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	r, err := iter.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var layout bpf.WaitsSleeper
	size := int(unsafe.Offsetof(layout.Sample)+unsafe.Offsetof(layout.Sample.Stack)) + 8*(int(bpf.CPUStackCapacityMAX_KERNEL_FRAMES)-1)
	var all []sleeper
	for ; len(raw) >= size; raw = raw[size:] {
		one := sleeper{reader: binary.NativeEndian.Uint32(raw)}
		if err := binary.Read(bytes.NewReader(raw[unsafe.Offsetof(layout.Regs):size]), binary.NativeEndian, &one.control.StackCopy.Regs); err != nil {
			return nil, err
		}
		if one.sample, err = record.ParseSample(raw[unsafe.Offsetof(layout.Sample):size]); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// found gives a sleeper's stack and says that it waits since the capture began, unless it has run meanwhile.
func (w *Tracker) found(one *sleeper, stack []byte) error {
	s := &one.sample
	regs := &one.control.StackCopy.Regs
	pid := w.pidOf(s)
	if pid == 0 {
		w.forgo()
		return nil
	}
	s.PID = uint32(pid)
	sp := regs.R[bpf.CPURegisterNumberREG_SP]
	n := copyStack(pid, sp, stack)
	w.host.Lock()
	if n == 0 {
		w.host.KeepSample(s)
	} else {
		s.Top = record.Words(stack, min(n/8, len(bpf.CPUSample{}.Top)))
		w.standIns[s.Serial] = s
	}
	w.host.Unlock()
	if n > 0 {
		k := one.control
		k.Begin = w.begin
		k.StackCopy.Tid, k.StackCopy.Serial = one.reader, s.Serial
		k.StackCopy.Process.Started, k.StackCopy.Process.Execs, k.StackCopy.Process.Tgid = s.Process.Started, s.Process.Execs, s.Process.TGID
		k.StackCopy.Low, k.StackCopy.High = sp, sp+uint64(n)
		k.StackCopy.Offset = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(stack)))) - sp
		if err := w.control(k); err != nil {
			return err
		}
		if err := unix.Nanosleep(&unix.Timespec{Nsec: 1}, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		runtime.KeepAlive(stack)
	}
	t := bpf.WaitsThread{WaitingSince: w.begin, Execs: s.Process.Execs, CurrentPlace: uint32(bpf.WaitsPlaceKindPLACE_FIRST_WAIT), Walked: 1}
	p := &t.Places[t.CurrentPlace]
	p.Pc, p.Sp, p.State = regs.Pc, sp, uint32(s.State)
	p.Serial, p.Group = s.Serial, s.Group
	err := w.maps.Threads.Update(s.TID, &t, ebpf.UpdateNoExist)
	if errors.Is(err, ebpf.ErrKeyExist) {
		return nil // what it waits for now, the program has seen
	}
	if err != nil {
		w.forgo() // there are too many
	}
	return nil
}

func (w *Tracker) forgo() {
	w.host.Lock()
	w.unknown++
	w.host.Unlock()
}

// pidOf is a process's PID in our namespace; on a locked-down kernel, which does not tell it, by the time at which it
// started, if no other one started then. Zero if it is not known.
func (w *Tracker) pidOf(s *record.Sample) int {
	if s.PID != 0 {
		return int(s.PID)
	}
	found := 0
	for _, p := range w.processes {
		switch {
		case p.StartTime != s.Process.Started/(1e9/kernel.UserHZ):
		case found != 0:
			return 0
		default:
			found = p.PID
		}
	}
	return found
}

// copyStack copies a stack from its pointer on, as far as it can be read, and gives the number of bytes.
func copyStack(pid int, sp uint64, stack []byte) int {
	n := 0
	for step := stackPageSize - int(sp%stackPageSize); n < len(stack); {
		step = min(step, len(stack)-n)
		if proc.ReadMemory(pid, sp+uint64(n), stack[n:n+step]) == nil {
			n += step
			step = 2 * (step + stackPageSize) / stackPageSize * stackPageSize
			continue
		}
		if step <= stackPageSize {
			break
		}
		step = stackPageSize
	}
	return n &^ 7
}

// Complete completes the sample of a wait, also that of a sleeper whose stack our thread had walked.
func (w *Tracker) Complete(s *record.Sample) {
	other := w.standIns[s.Serial]
	if other == nil {
		if s.Serial != 0 {
			start, end := scheduler()
			s.Kernel = withoutTracing(s.Kernel, start, end)
		}
		return
	}
	delete(w.standIns, s.Serial)
	other.User, other.End, other.HasTables = s.User, s.End, s.HasTables
	*s = *other
}

const serialCPUBits = bpf.WaitsSerialLayoutSERIAL_CPU_BITS
