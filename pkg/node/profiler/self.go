//go:build linux

package profiler

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// An ephemeral container lives on the limits of the pod it profiles: use little, and be the first
// to go.
const (
	maxProcs    = 2
	memoryLimit = 48 << 20 // bytes of Go memory at which the collector works harder; not a hard limit
	niceness    = 19
	oomScoreAdj = 1000
)

// checkRoom refuses where the pod has not enough memory left: near its limit the kernel would end us, or the target.
func checkRoom() error {
	room, err := proc.MemoryRoom(os.Getpid())
	if err != nil || room >= requirements.Memory { // where it cannot be told, the kernel will
		return nil
	}
	return fmt.Errorf("the pod has %d MiB of memory left up to its limit, the profiler may need %d MiB: use --job, whose memory is its own",
		max(room, 0)>>20, requirements.Memory>>20)
}

// behave makes this process yield to the target in CPU time and memory.
func behave() error {
	runtime.GOMAXPROCS(maxProcs)
	debug.SetMemoryLimit(memoryLimit)
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(oomScoreAdj)), 0); err != nil {
		return fmt.Errorf("tell the kernel to end the profiler first when memory is short: %w", err)
	}
	return lowerPriority()
}

// lowerPriority gives every thread the lowest priority. It is an attribute of the thread, which
// new threads inherit from the one that makes them (setpriority(2), "C library/kernel
// differences"): so look for threads until all there are have it.
func lowerPriority() error {
	for changed := true; changed; {
		changed = false
		tasks, err := filepath.Glob("/proc/self/task/*")
		if err != nil {
			return err
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(filepath.Base(task))
			if err != nil {
				return err
			}
			// The system call returns 20 minus the nice value (getpriority(2)).
			if p, err := unix.Getpriority(unix.PRIO_PROCESS, tid); err == nil && 20-p == niceness {
				continue
			}
			err = unix.Setpriority(unix.PRIO_PROCESS, tid, niceness)
			if errors.Is(err, unix.ESRCH) {
				continue // the thread ended
			}
			if err != nil {
				return fmt.Errorf("lower the profiler's priority: %w", err)
			}
			changed = true
		}
	}
	return nil
}
