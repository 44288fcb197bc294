//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// Bounds on the profiler's own memory, so that a target that makes it grow ends the profiler and
// not the pod. Profiles of large programs take up to 28 MiB. One type with 30,000 distinct stacks
// of 40 frames, or three types at once with 10,000 each, take almost all of maxMemory.
const (
	maxMemory = 80 << 20 // of anonymous memory
	// dataReserve is how much private memory may be mapped beyond what the Go runtime maps at its start. The kernel refuses
	// more: a single allocation may exceed maxMemory before it is noticed. Go does not unmap the memory that it has freed.
	dataReserve = 2 * maxMemory
)

// How often the memory is checked. Memory grows by allocation, and the garbage collector runs
// before the heap has doubled (runtime.SetFinalizer, GOGC). So it is checked often for a while
// after each collection, and rarely while none runs: each check wakes the process and takes CPU
// time from the target.
const (
	memoryCheckInterval = 100 * time.Millisecond
	idleCheckInterval   = 5 * time.Second
	alertTime           = 2 * time.Second // after a collection
)

// errMemory is returned when the profiler's memory exceeds its bound.
var errMemory = errors.New("the profiler has used too much memory")

// memoryBound returns the bound for a profiler that may allocate free bytes until the pod reaches its limit.
func memoryBound(free int64) int64 { return min(maxMemory, max(requirements.Memory, free)) }

// limitData makes the kernel refuse more private memory than dataReserve. Go then ends the process.
func limitData() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	mapped, err := parseVMData(string(status))
	if err != nil {
		return err
	}
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &l); err != nil {
		return fmt.Errorf("read the limit of data: %w", err)
	}
	l.Cur = min(l.Max, uint64(mapped+dataReserve))
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &l); err != nil {
		return fmt.Errorf("limit the profiler's memory: %w", err)
	}
	return nil
}

// parseVMData returns VmData of /proc/PID/status in bytes: what counts towards RLIMIT_DATA (proc_pid_status(5)).
func parseVMData(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "VmData:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc/self/status contains no VmData")
}

// anonymousMemory returns the resident memory of this process that is not backed by files, in bytes (proc_pid_statm(5)). It is
// called often, so it does without os.File and Go's poller.
func anonymousMemory() (int64, error) {
	fd, err := unix.Open("/proc/self/statm", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open /proc/self/statm: %w", err)
	}
	defer unix.Close(fd)
	var text [128]byte
	n, err := unix.Read(fd, text[:])
	if err != nil {
		return 0, fmt.Errorf("read /proc/self/statm: %w", err)
	}
	var size, resident, shared int64 // in pages
	if _, err := fmt.Sscan(string(text[:n]), &size, &resident, &shared); err != nil {
		return 0, fmt.Errorf("/proc/self/statm: %w", err)
	}
	return (resident - shared) * int64(os.Getpagesize()), nil
}

// watchMemory returns when used returns more than bound, with an error that wraps errMemory, or when ctx is done, with nil.
// Memory that is only garbage does not count.
func watchMemory(ctx context.Context, bound int64, used func() (int64, error)) error {
	collected := collections(ctx)
	alert := time.Now().Add(alertTime)
	timer := time.NewTimer(memoryCheckInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-collected:
			alert = time.Now().Add(alertTime)
		case <-timer.C:
		}
		n, err := used()
		if err == nil && n > bound {
			debug.FreeOSMemory()
			n, err = used()
		}
		if err == nil && n > bound {
			return fmt.Errorf("%w: %d MiB, at most %d MiB are allowed, so that the pod does not run out of memory; "+
				"the container has very many threads, stacks or functions, or was made to exhaust profilers: "+
				"take a shorter profile, or one of a single process with --pid", errMemory, n>>20, bound>>20)
		}
		wait := idleCheckInterval
		if time.Now().Before(alert) {
			wait = memoryCheckInterval
		}
		timer.Reset(wait)
	}
}

// collections returns a channel that receives after garbage collections until ctx is done. Several
// may be received as one.
func collections(ctx context.Context) <-chan struct{} {
	collected := make(chan struct{}, 1)
	type object struct{ _ *byte } // without a pointer it could share its memory with other objects
	var finalize func(*object)
	finalize = func(o *object) {
		select {
		case collected <- struct{}{}:
		default:
		}
		if ctx.Err() == nil {
			runtime.SetFinalizer(o, finalize)
		}
	}
	runtime.SetFinalizer(new(object), finalize)
	return collected
}
