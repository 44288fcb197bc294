//go:build linux

package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Stop describes how a process was stopped.
type Stop struct {
	Threads int
	Moving  int           // threads that did not stop in time, because they wait in the kernel, for example for a disk
	For     time.Duration // from the first thread's stop to the last one's continuing
}

// Bounds on stopping a process.
const (
	maxStopping = 200 * time.Millisecond // for the threads to stop
	maxThreads  = 1 << 15
	maxListings = 16 // times that threads are listed until there are no new ones
	// maxHeld bounds how long a stop waits until the previous one has released all threads. On a
	// busy machine a thread needs a while to get a CPU on which to stop; in uninterruptible sleep
	// it may never stop.
	maxHeld = time.Second
)

// WhileStopped stops all threads of a process, calls during with their registers by thread ID in
// the process's own PID namespace, and lets the threads continue. If this program dies, the kernel
// lets them continue. It needs CAP_SYS_PTRACE, and fails if a debugger traces the process.
func (p *Process) WhileStopped(during func(map[int]Registers) error) (Stop, error) {
	type result struct {
		stop Stop
		err  error
	}
	done := make(chan result, 1)
	stopping.Lock()
	defer stopping.Unlock()
	select {
	case <-held: // seizing a thread that is already traced would fail
	case <-time.After(maxHeld):
	}
	released := make(chan struct{})
	held = released
	runOnOwnThread(func() {
		defer close(released)
		t := &tracer{process: p, threads: map[int]*tracee{}}
		stop, err := t.stop(during)
		done <- result{stop, err}
		t.releaseRest()
	})
	r := <-done
	return r.stop, r.err
}

// WhileAllStopped is like WhileStopped, for what no thread of the process may run beside. If a
// thread does not stop in time, it returns an error without calling during.
func (p *Process) WhileAllStopped(during func() error) error {
	_, err := p.WhileStopped(func(stopped map[int]Registers) error {
		dir, err := os.Open(p.path("task"))
		if err != nil {
			return err
		}
		defer dir.Close()
		threads, err := dir.Readdirnames(maxThreads)
		if err != nil {
			return err
		}
		running := len(threads) - len(stopped)
		for _, name := range threads {
			if running == 0 {
				break
			}
			if tid, err := strconv.Atoi(name); err == nil && threadHasEnded(p.PID, tid) {
				running--
			}
		}
		if running > 0 {
			return fmt.Errorf("%d of the %d threads of process %d have not stopped within %v", running, len(threads), p.PID, maxStopping)
		}
		return during()
	})
	return err
}

// stopping allows one stop at a time, because a stop changes the priority of this program.
var stopping sync.Mutex

// held is closed when the last stop has released all threads. The mutex stopping protects the
// variable.
var held = closed()

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// runOnOwnThread starts f on a new thread that ends with f. ptrace binds a tracee to the thread
// that traces it, and when that thread ends the kernel releases its tracees. f does not run on the
// program's first thread, which does not end before the program.
func runOnOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		done := make(chan struct{})
		runOnOwnThread(func() {
			defer close(done)
			f()
		})
		<-done
		runtime.UnlockOSThread()
	}()
}

// tracer holds the threads of a process that it has seized.
type tracer struct {
	process *Process
	threads map[int]*tracee // by thread ID in our /proc
}

type tracee struct {
	own     int // its ID in the process's own PID namespace
	stopped bool
	signal  int // about to be delivered when the thread stopped; 0 if none
}

// stop implements WhileStopped on the tracing thread.
func (t *tracer) stop(during func(map[int]Registers) error) (Stop, error) {
	defer raisePriority()()
	began := time.Now()
	defer t.release()
	for range maxListings {
		more, err := t.seize()
		if err != nil {
			return Stop{}, err
		}
		if !more {
			break
		}
		if now, err := Open(t.process.PID); err != nil || now.StartTime != t.process.StartTime {
			return Stop{}, errors.New("it has ended")
		}
		t.waitStopped(began.Add(maxStopping))
	}
	s := Stop{Threads: len(t.threads)}
	registers := map[int]Registers{}
	for tid, th := range t.threads {
		if !th.stopped {
			s.Moving++
		} else if r, err := registersOf(tid); err == nil {
			registers[th.own] = r
		}
	}
	err := during(registers)
	t.release()
	s.For = time.Since(began)
	return s, err
}

// raisePriority sets the default priority for the threads of this program. restore sets the previous
// one. The profiler runs at the lowest priority, with which a stopped process might have to
// wait for others on the node. Failure to change the priority is ignored.
func raisePriority() (restore func()) {
	own := 20 // nice 0: the system call returns 20 minus the nice value (getpriority(2))
	if p, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		own = p
	}
	set := func(nice int) {
		dir, err := os.ReadDir("/proc/self/task")
		for _, task := range dir {
			if tid, _ := strconv.Atoi(task.Name()); err == nil && tid != 0 {
				_ = unix.Setpriority(unix.PRIO_PROCESS, tid, nice)
			}
		}
	}
	set(0)
	return func() {
		set(20 - own)
		set(20 - own) // again for threads created in the first pass by threads not yet reached
	}
}

// seize lists the process's threads and tells new ones to stop. It returns whether there were any.
func (t *tracer) seize() (more bool, err error) {
	dir, err := os.Open(t.process.path("task"))
	if err != nil {
		return false, err
	}
	names, err := dir.Readdirnames(maxThreads + 1)
	dir.Close()
	if err != nil {
		return false, err
	}
	if len(names) > maxThreads {
		return false, fmt.Errorf("it has more than %d threads", maxThreads)
	}
	for _, name := range names {
		tid, err := strconv.Atoi(name)
		if err != nil || t.threads[tid] != nil {
			continue
		}
		status, err := readBounded(filepath.Join(t.process.path("task"), name, "status"), 64<<10)
		if err != nil {
			continue // it has ended
		}
		switch err := ptrace(unix.PTRACE_SEIZE, tid, 0, 0); {
		case errors.Is(err, unix.ESRCH):
			continue
		case errors.Is(err, unix.EPERM):
			if err := t.explainRefusal(name, err); err != nil {
				return false, err
			}
			continue
		case err != nil:
			return false, fmt.Errorf("stop thread %d: %w", tid, err)
		}
		t.threads[tid] = &tracee{own: innermostPID(status, tid)}
		more = true
		if err := ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return false, fmt.Errorf("stop thread %d: %w", tid, err)
		}
	}
	return more, nil
}

// explainRefusal returns the reason why a thread cannot be stopped, nil if it is about to end.
func (t *tracer) explainRefusal(tid string, err error) error {
	status, gone := readBounded(filepath.Join(t.process.path("task"), tid, "status"), 64<<10)
	if gone != nil {
		return nil
	}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch {
		case key == "State" && (strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X")):
			return nil
		case key == "TracerPid" && value != "0":
			return fmt.Errorf("stop thread %s: %w: process %s, perhaps a debugger, traces it", tid, err, value)
		}
	}
	return fmt.Errorf("stop thread %s: %w: CAP_SYS_PTRACE is needed", tid, err)
}

// waitStopped waits until all threads have stopped or the time has passed.
func (t *tracer) waitStopped(until time.Time) {
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
		if t.reap() == 0 || time.Now().After(until) {
			return
		}
		time.Sleep(pause)
	}
}

// reap notes which threads have stopped and returns how many have not.
func (t *tracer) reap() (moving int) {
	for tid, th := range t.threads {
		if th.stopped {
			continue
		}
		var status unix.WaitStatus
		n, err := unix.Wait4(tid, &status, unix.WNOHANG|unix.WALL, nil)
		switch {
		case err != nil && err != unix.EINTR, n == tid && !status.Stopped():
			delete(t.threads, tid) // it has ended
		case n != tid:
			moving++
		default:
			th.stopped = true
			if status>>16 == 0 { // it stopped for a signal, not yet for PTRACE_INTERRUPT (ptrace(2))
				th.signal = int(status.StopSignal())
			}
		}
	}
	return moving
}

// release lets all stopped threads continue.
func (t *tracer) release() {
	for tid, th := range t.threads {
		if th.stopped {
			// An error means that the thread was killed.
			_ = ptrace(unix.PTRACE_DETACH, tid, 0, uintptr(th.signal))
			delete(t.threads, tid)
		}
	}
}

// releaseRest waits for the threads that did not stop in time and releases them.
func (t *tracer) releaseRest() {
	for len(t.threads) > 0 {
		t.reap()
		t.release()
		time.Sleep(10 * time.Millisecond)
	}
}

func ptrace(request, tid int, address, data uintptr) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), address, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
