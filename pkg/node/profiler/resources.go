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

// An ephemeral container shares the limits of the pod that it profiles. The profiler uses little, and is the first to be killed
// when memory runs out.
const (
	memoryLimit = 48 << 20 // bytes of Go memory above which the garbage collector works harder; not a hard limit
	niceness    = 19
	oomScoreAdj = 1000
)

// checkMemory returns the bound on this process's memory, or an error if the pod has too little memory left: near its limit
// the kernel would kill the profiler or the target.
func checkMemory() (bound int64, err error) {
	free, err := proc.AvailableMemory(os.Getpid())
	if err != nil { // without the numbers, try
		return maxMemory, nil
	}
	if free >= requirements.Memory {
		return memoryBound(free), nil
	}
	return 0, fmt.Errorf("the pod has %d MiB of memory left up to its limit, and the profiler may need %d MiB: use --job, which has memory of its own",
		max(free, 0)>>20, requirements.Memory>>20)
}

// yieldToTarget makes this process give way to the target in CPU time and memory.
func yieldToTarget() error {
	runtime.GOMAXPROCS(maxProcs)
	debug.SetMemoryLimit(memoryLimit)
	if err := limitData(); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(oomScoreAdj)), 0); err != nil {
		return fmt.Errorf("make the kernel kill the profiler first when memory runs out: %w", err)
	}
	return lowerPriority()
}

// lowerPriority sets the lowest priority for every thread. New threads inherit the priority of the thread that creates them
// (setpriority(2), "C library/kernel differences"), so it repeats until all existing threads have it.
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
				continue // the thread has ended
			}
			if err != nil {
				return fmt.Errorf("lower the profiler's priority: %w", err)
			}
			changed = true
		}
	}
	return nil
}
