//go:build linux

package sampling

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
)

// events are the perf events of all online CPUs, a program attached to each.
type events struct {
	fds   []int
	links []link.Link
}

// cpuClock returns an event for each period of CPU time. It sets a period because cpu-clock takes fewer samples than a
// frequency asks for. It is a software event because virtual machines often have no hardware counters.
func cpuClock(period time.Duration) unix.PerfEventAttr {
	return unix.PerfEventAttr{Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: uint64(period.Nanoseconds())}
}

// pageFaults returns an event for every period page faults of a CPU. It sets a period because the kernel adapts a frequency
// too slowly to bursts of faults.
func pageFaults(period int) unix.PerfEventAttr {
	return unix.PerfEventAttr{Config: unix.PERF_COUNT_SW_PAGE_FAULTS, Sample: uint64(period)}
}

// openEvents opens and attaches software events without starting them.
func openEvents(program *ebpf.Program, attr unix.PerfEventAttr) (*events, error) {
	cpus, err := kernel.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	attr.Type = unix.PERF_TYPE_SOFTWARE
	attr.Bits |= unix.PerfBitDisabled | unix.PerfBitExcludeIdle // no event finds the target on an idle CPU
	e := &events{}
	for _, cpu := range cpus {
		if err := e.open(program, cpu, &attr); err != nil {
			e.close()
			return nil, kernel.Explain(fmt.Sprintf("perf event of CPU %d", cpu), err)
		}
	}
	return e, nil
}

func (e *events) open(program *ebpf.Program, cpu int, attr *unix.PerfEventAttr) error {
	fd, err := unix.PerfEventOpen(attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if errors.Is(err, unix.ENODEV) {
		return nil // it went offline since the list was read
	}
	if err != nil {
		return err
	}
	e.fds = append(e.fds, fd)
	l, err := link.AttachRawLink(link.RawLinkOptions{Target: fd, Program: program, Attach: ebpf.AttachPerfEvent})
	if err == nil {
		e.links = append(e.links, l)
		return nil
	}
	// Before Linux 5.15 a perf event has no BPF link; the program goes with the event.
	return unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, program.FD())
}

// enable starts or stops all events.
func (e *events) enable(on bool) error {
	request := uint(unix.PERF_EVENT_IOC_DISABLE)
	if on {
		request = unix.PERF_EVENT_IOC_ENABLE
	}
	for _, fd := range e.fds {
		if err := unix.IoctlSetInt(fd, request, 0); err != nil {
			return kernel.Explain("switch perf event", err)
		}
	}
	return nil
}

func (e *events) close() error {
	var errs []error
	for _, l := range e.links {
		errs = append(errs, l.Close())
	}
	for _, fd := range e.fds {
		errs = append(errs, unix.Close(fd))
	}
	e.links, e.fds = nil, nil
	return errors.Join(errs...)
}
