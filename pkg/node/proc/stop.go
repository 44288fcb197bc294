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

// Registers are some of a thread's, in user space.
type Registers struct {
	PC, SP uint64
	LR     uint64 // of arm64
}

// Stop says how a process was stopped.
type Stop struct {
	Threads int
	Moving  int           // threads that did not stop in time, for they wait in the kernel for a disk or the like
	For     time.Duration // from the first thread's stop to the last one's going on
}

// Bounds on how a process is stopped.
const (
	maxStopping = 200 * time.Millisecond // for the threads to stop
	maxThreads  = 1 << 15
	maxListings = 16 // of threads, until there are no new ones
	// maxHeld is how long a stop waits for the threads that the one before still holds. On a busy machine a thread
	// needs a while until it gets a CPU to stop on; one in uninterruptible sleep may need for ever.
	maxHeld = time.Second
)

// WhileStopped stops all threads of a process, calls during with their registers by their IDs in the process's own PID
// namespace, and lets them go on. The kernel does that if we die. It needs CAP_SYS_PTRACE, and fails if a
// debugger has the process.
func (p *Process) WhileStopped(during func(map[int]Registers) error) (Stop, error) {
	type result struct {
		stop Stop
		err  error
	}
	done := make(chan result, 1)
	stopping.Lock()
	defer stopping.Unlock()
	select {
	case <-held: // seizing a thread that another thread of ours holds would be refused
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

// stopping is held by the one that stops a process: it changes our priority meanwhile.
var stopping sync.Mutex

// held is closed when the last stop has released all threads. stopping guards the variable.
var held = closed()

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// runOnOwnThread begins to run f on a thread of its own, which ends with it: the kernel knows the thread that stops
// another one, and lets all go that it has stopped when it ends. The program's first thread does not end before the program.
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

// tracer has the threads of a process that it has seized.
type tracer struct {
	process *Process
	threads map[int]*tracee // by their ID in our /proc
}

type tracee struct {
	own     int // its ID in the process's own PID namespace
	stopped bool
	signal  int // that was about to be delivered when it stopped
}

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
			return Stop{}, errors.New("it has ended meanwhile")
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

// raisePriority gives our threads the usual priority, and back what they had: with the lowest one, which is ours else, the
// process might have to wait for others on the node. It is no error if that is not allowed.
func raisePriority() (back func()) {
	own := 20 // the system call adds that to the nice value (getpriority(2))
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
		set(20 - own) // those that one made that had not been reached
	}
}

// seize lists the process's threads and tells those to stop that are new; it gives whether there are any.
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

// explainRefusal says why a thread cannot be stopped; nil if it was about to end.
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
			return fmt.Errorf("stop thread %s: %w: process %s has it, a debugger perhaps", tid, err, value)
		}
	}
	return fmt.Errorf("stop thread %s: %w; that needs CAP_SYS_PTRACE", tid, err)
}

// waitStopped waits until all threads have stopped, or for as long as they may take.
func (t *tracer) waitStopped(until time.Time) {
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
		if t.reap() == 0 || time.Now().After(until) {
			return
		}
		time.Sleep(pause)
	}
}

// reap takes note of those that have stopped since, and gives how many have not.
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
			if status>>16 == 0 { // it was about to get a signal, which comes before our request
				th.signal = int(status.StopSignal())
			}
		}
	}
	return moving
}

// release lets all go that have stopped.
func (t *tracer) release() {
	for tid, th := range t.threads {
		if th.stopped {
			// An error says that it was killed.
			_ = ptrace(unix.PTRACE_DETACH, tid, 0, uintptr(th.signal))
			delete(t.threads, tid)
		}
	}
}

// releaseRest waits for those that had not stopped in time.
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
