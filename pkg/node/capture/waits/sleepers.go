//go:build linux

package waits

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// A thread that sleeps when the capture begins may sleep until its end, without a context switch at which the BPF program
// could see it. A task iterator lists such threads with their registers and kernel stacks. Their user stacks are walked by
// the same BPF program as all others. It can read only the memory of the current process, so this thread copies the
// sleeper's stack into its own memory, announces the copy in the map of controls, and causes a context switch by sleeping.

const (
	maxStackCopy  = 128 << 10 // bytes copied of a sleeper's stack; a deeper stack ends there as broken
	stackPageSize = 4 << 10   // the smallest page size of the supported architectures
)

// sleeper is struct sleeper of bpf/waits.bpf.c.
type sleeper struct {
	reader  uint32           // TID of our own thread in the initial PID namespace
	control bpf.WaitsControl // with the sleeper's registers
	sample  record.Sample    // without the user stack
}

// Bounds on the sleeping threads. Large Java programs have some 5,000 threads; a thread takes 0.1 to 1 ms.
const (
	maxSleepers     = maxThreads // more have no room in the map of threads
	maxSleepersTime = 5 * time.Second
)

// addSleepers registers the threads that sleep now as waiting since the capture began. It stops early when ctx is done or
// maxSleepersTime has passed; the threads for which there is no time are counted as unread.
func (w *Tracker) addSleepers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxSleepersTime)
	defer cancel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stack := make([]byte, maxStackCopy)
	added := map[uint32]uint64{} // serials by TID
	serial := uint64(0)
	err := w.listSleepers(func(one *sleeper) error {
		if ctx.Err() != nil || len(added) >= maxSleepers {
			w.countUnread()
			return nil
		}
		serial++
		one.sample.Serial = serial<<serialCPUBits | (1<<serialCPUBits - 1) // no CPU has this number, see maxCPUs
		one.sample.Group = one.sample.Serial
		added[one.sample.TID] = one.sample.Serial
		if err := w.addSleeper(one, stack); err != nil {
			return fmt.Errorf("walk the stack of a sleeping thread: %w", err)
		}
		return nil
	})
	if err != nil {
		return kernel.Explain("list sleeping threads", err)
	}
	return w.removeExited(added)
}

// removeExited removes sleepers that exited before they were registered. Otherwise they would count as waiting until the
// end of the capture, because the BPF program did not see them exit. added holds serials by TID.
func (w *Tracker) removeExited(added map[uint32]uint64) error {
	if err := w.listSleepers(func(one *sleeper) error {
		delete(added, one.sample.TID)
		return nil
	}); err != nil {
		return kernel.Explain("list sleeping threads", err)
	}
	for tid, serial := range added {
		var t bpf.WaitsThread
		if w.maps.Threads.Lookup(tid, &t) != nil {
			continue
		}
		if t.WaitingSince == w.begin && t.Places[bpf.WaitsPlaceKindPLACE_FIRST_WAIT].Serial == serial { // a thread that wakes at this moment is registered again by the BPF program
			if err := w.maps.Threads.Delete(tid); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
				return fmt.Errorf("remove an exited thread from the map of threads: %w", err)
			}
		}
	}
	return nil
}

// listSleepers calls visit with each sleeping thread of the target, as the kernel lists them. It never holds the whole
// list, because the target determines its length.
func (w *Tracker) listSleepers(visit func(*sleeper) error) error {
	iter, err := link.AttachIter(link.IterOptions{Program: w.maps.ListSleepers})
	if err != nil {
		return err
	}
	defer iter.Close()
	r, err := iter.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return readSleepers(r, visit)
}

// sleeperBytes is the size of an entry of the list, SLEEPER_BYTES of bpf/waits.bpf.c.
const sleeperBytes = int(unsafe.Offsetof(bpf.WaitsSleeper{}.Sample)+unsafe.Offsetof(bpf.WaitsSleeper{}.Sample.Stack)) +
	8*(int(bpf.CPUStackCapacityMAX_KERNEL_FRAMES)-1)

// readSleepers decodes the list of sleeping threads and calls visit with each.
func readSleepers(r io.Reader, visit func(*sleeper) error) error {
	buffered, raw := bufio.NewReaderSize(r, 32<<10), make([]byte, sleeperBytes)
	for {
		if _, err := io.ReadFull(buffered, raw); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		one := sleeper{reader: binary.NativeEndian.Uint32(raw)}
		var layout bpf.WaitsSleeper
		if err := binary.Read(bytes.NewReader(raw[unsafe.Offsetof(layout.Regs):]), binary.NativeEndian, &one.control.StackCopy.Regs); err != nil {
			return err
		}
		var err error
		if one.sample, err = record.ParseSample(raw[unsafe.Offsetof(layout.Sample):]); err != nil {
			return err
		}
		if err := visit(&one); err != nil {
			return err
		}
	}
}

// addSleeper has a sleeper's stack walked and registers the thread as waiting since the capture began, unless it has run
// in the meantime. stack is scratch memory for the copy.
func (w *Tracker) addSleeper(one *sleeper, stack []byte) error {
	s := &one.sample
	regs := &one.control.StackCopy.Regs
	pid := w.findPID(s)
	if pid == 0 {
		w.countUnread()
		return nil
	}
	if s.TID == s.Process.TGID && len(s.Kernel) == 0 && proc.FirstThreadHasEnded(pid) {
		return nil // it is listed as long as others live, but does not wait
	}
	s.PID = uint32(pid)
	sp := regs.R[bpf.CPURegisterNumberREG_SP]
	n := 0
	if s.End != bpf.CPUWalkEndEND_ROOT { // which a thread without user code has, such as io_uring's workers
		n = copyStack(pid, sp, stack)
	}
	w.host.Lock()
	if n == 0 {
		w.host.KeepSample(s)
	} else {
		s.Top = record.Words(stack, min(n/8, len(bpf.CPUSample{}.Top)))
		w.sleepers[s.Serial] = s
	}
	w.host.Unlock()
	if n > 0 {
		k := one.control
		k.Begin = w.begin
		k.StackCopy.Tid, k.StackCopy.Serial = one.reader, s.Serial
		k.StackCopy.Process.Started, k.StackCopy.Process.Execs, k.StackCopy.Process.Tgid = s.Process.Started, s.Process.Execs, s.Process.TGID
		k.StackCopy.Low, k.StackCopy.High = sp, sp+uint64(n)
		k.StackCopy.Offset = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(stack)))) - sp
		if err := w.setControl(k); err != nil {
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
		return nil // it has run since, and the BPF program registered its current wait
	}
	if err != nil {
		w.countUnread() // the map of threads is full
	}
	return nil
}

func (w *Tracker) countUnread() {
	w.host.Lock()
	w.unreadSleepers++
	w.host.Unlock()
}

// findPID returns the PID of a sample's process in our namespace, or 0 if it is unknown. A locked-down kernel does not
// report the PID; the process is then identified by its start time, if no other process started at the same time.
func (w *Tracker) findPID(s *record.Sample) int {
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

// copyStack copies the memory of a process from its stack pointer upwards, as far as it is readable and fits. It returns
// the number of bytes copied, a multiple of 8.
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

// Complete completes the sample of a wait. The sample of our own thread that carries the user stack of a sleeper becomes
// the sample of the sleeper. The frames of the tracepoint are removed from other kernel stacks.
func (w *Tracker) Complete(s *record.Sample) {
	sleeper := w.sleepers[s.Serial]
	if sleeper == nil {
		if s.Serial != 0 {
			start, end := scheduler()
			s.Kernel = trimTraceFrames(s.Kernel, start, end)
		}
		return
	}
	delete(w.sleepers, s.Serial)
	sleeper.User, sleeper.End, sleeper.HasTables = s.User, s.End, s.HasTables
	*s = *sleeper
}

const serialCPUBits = bpf.WaitsSerialLayoutSERIAL_CPU_BITS
