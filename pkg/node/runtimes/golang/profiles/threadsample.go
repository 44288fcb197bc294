//go:build linux

package profiles

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// threadSampler takes one sample of a thread when it runs: its registers and the bytes of its stack.
// It needs perf events, but no BPF.
type threadSampler struct {
	events map[int]*threadEvent // by thread
	armed  int                  // events whose samples are awaited
	err    error                // why there are none
}

// threadEvent is a perf event of one thread.
type threadEvent struct {
	fd   int
	ring []byte // struct perf_event_mmap_page, followed by room for one sample

	armed bool // its sample is awaited
}

const (
	sampledStackBytes = 32 << 10               // copied from a thread's stack
	ringDataBytes     = 64 << 10               // a power of two pages; a sample fits
	maxThreadEvents   = 128                    // open at once, each with a ring of 68 KiB
	samplingPeriod    = 100 * time.Microsecond // of the thread's CPU time until its sample is taken
)

// threadSample is the state of a thread when it was sampled.
type threadSample struct {
	registers golang.Registers
	stack     []byte // from the stack pointer on
}

// isFull reports whether maxThreadEvents samples are awaited. No other thread can be armed then.
func (t *threadSampler) isFull() bool { return t.armed >= maxThreadEvents }

// arm requests one sample of a thread when it next runs. It returns false if the thread cannot be sampled. The caller
// must release the thread unless taken returns its sample.
func (t *threadSampler) arm(tid int) bool {
	if t.err != nil {
		return false
	}
	e := t.events[tid]
	if e == nil {
		var err error
		if e, err = openThreadEvent(tid); err != nil {
			if !errors.Is(err, unix.ESRCH) {
				t.err = err
			}
			return false
		}
		if len(t.events) >= maxThreadEvents {
			t.closeIdle()
		}
		if t.events == nil {
			t.events = map[int]*threadEvent{}
		}
		t.events[tid] = e
	}
	e.drop()
	if unix.IoctlSetInt(e.fd, unix.PERF_EVENT_IOC_REFRESH, 1) != nil { // after one sample it is off again
		t.release(tid)
		return false
	}
	if !e.armed {
		e.armed = true
		t.armed++
	}
	return true
}

// release ends waiting for a thread's sample.
func (t *threadSampler) release(tid int) {
	if e := t.events[tid]; e != nil && e.armed {
		e.armed = false
		t.armed--
	}
}

// closeIdle closes the events whose samples are not awaited.
func (t *threadSampler) closeIdle() {
	for tid, e := range t.events {
		if !e.armed {
			_ = e.close()
			delete(t.events, tid)
		}
	}
}

// taken returns the sample of an armed thread, and false if it has not been taken yet.
func (t *threadSampler) taken(tid int) (threadSample, bool) {
	e := t.events[tid]
	if e == nil {
		return threadSample{}, false
	}
	s, ok := e.take()
	if ok {
		t.release(tid)
	}
	return s, ok
}

func (t *threadSampler) close() error {
	var errs []error
	for _, e := range t.events {
		errs = append(errs, e.close())
	}
	t.events, t.armed = nil, 0
	return errors.Join(errs...)
}

// Numbers of registers in samples: arch/x86/include/uapi/asm/perf_regs.h and arch/arm64/include/uapi/asm/perf_regs.h.
const (
	perfAMD64SP, perfAMD64PC              = 7, 8
	perfARM64LR, perfARM64SP, perfARM64PC = 30, 31, 32
)

func openThreadEvent(tid int) (*threadEvent, error) {
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Sample: uint64(samplingPeriod), Sample_type: unix.PERF_SAMPLE_REGS_USER | unix.PERF_SAMPLE_STACK_USER,
		Sample_regs_user: 1<<perfAMD64SP | 1<<perfAMD64PC, Sample_stack_user: sampledStackBytes, Bits: unix.PerfBitDisabled,
	}
	if runtime.GOARCH == "arm64" {
		attr.Sample_regs_user = 1<<perfARM64LR | 1<<perfARM64SP | 1<<perfARM64PC
	}
	fd, err := unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) { // sampling only user space may be allowed
		attr.Bits |= unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv
		fd, err = unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("perf event of thread %d: %w", tid, err)
	}
	ring, err := unix.Mmap(fd, 0, os.Getpagesize()+ringDataBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("perf event of thread %d: %w", tid, err)
	}
	return &threadEvent{fd: fd, ring: ring}, nil
}

func (e *threadEvent) close() error {
	return errors.Join(unix.Munmap(e.ring), unix.Close(e.fd))
}

func (e *threadEvent) head() *uint64 {
	return &(*unix.PerfEventMmapPage)(unsafe.Pointer(&e.ring[0])).Data_head
}

func (e *threadEvent) tail() *uint64 {
	return &(*unix.PerfEventMmapPage)(unsafe.Pointer(&e.ring[0])).Data_tail
}

// drop discards the contents of the ring.
func (e *threadEvent) drop() { atomic.StoreUint64(e.tail(), atomic.LoadUint64(e.head())) }

// take returns the sample in the ring, if there is one. perf_event_open(2) describes the records.
func (e *threadEvent) take() (threadSample, bool) {
	data := e.ring[len(e.ring)-ringDataBytes:]
	head, tail := atomic.LoadUint64(e.head()), atomic.LoadUint64(e.tail())
	for head-tail >= 8 && head-tail <= ringDataBytes {
		var header [8]byte
		copyRing(header[:], data, tail)
		size := uint64(binary.NativeEndian.Uint16(header[6:]))
		if size < 8 || size > head-tail {
			break // incomplete or invalid
		}
		record := make([]byte, size-8)
		copyRing(record, data, tail+8)
		tail += size
		if binary.NativeEndian.Uint32(header[:]) == unix.PERF_RECORD_SAMPLE {
			e.drop()
			return parseThreadSample(record)
		}
	}
	return threadSample{}, false
}

func copyRing(b, ring []byte, at uint64) {
	n := copy(b, ring[at%uint64(len(ring)):])
	copy(b[n:], ring)
}

// parseThreadSample parses the rest of a record: the ABI of the registers, the registers, and the
// stack, which is its size, its bytes and the number of bytes used.
func parseThreadSample(b []byte) (threadSample, bool) {
	registers := 2
	if runtime.GOARCH == "arm64" {
		registers = 3
	}
	head := 8 * (1 + registers + 1)
	if len(b) < head || binary.NativeEndian.Uint64(b) == 0 {
		return threadSample{}, false // the thread has no user space any more
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	s := threadSample{registers: golang.Registers{Exact: true}}
	if r := &s.registers; registers == 3 {
		r.LR, r.SP, r.PC = word(1), word(2), word(3)
	} else {
		r.SP, r.PC = word(1), word(2)
	}
	size := word(registers + 1)
	if size > uint64(len(b)-head) || size > 0 && uint64(len(b)-head)-size < 8 {
		return threadSample{}, false
	}
	if size > 0 {
		used := binary.NativeEndian.Uint64(b[uint64(head)+size:])
		s.stack = b[head:][:min(used, size)]
	}
	return s, true
}
