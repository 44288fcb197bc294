//go:build linux

package proc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process is stopped while the callback runs, which gets the registers of all threads. Afterwards
// this program's priority is the same as before.
func TestWhileStopped(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	p, err := Open(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	expectState := func(want string) {
		t.Helper()
		stat, err := readBounded(p.path("stat"), 4096)
		if err != nil || len(stat) < 20 {
			t.Fatal(err)
		}
		for range 12_000 { // a minute
			if stat, _ = readBounded(p.path("stat"), 4096); string(stat[len("(sleep) ")+len(strconv.Itoa(p.PID))+1]) == want {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Errorf("the process is not in state %s: %s", want, stat)
	}
	failed := errors.New("error of the callback")
	stop, err := whileAllStop(p, func(threads map[int]Registers) error {
		expectState("t")
		if r := threads[p.NSPID]; len(threads) != 1 || r.PC == 0 || r.SP == 0 {
			t.Errorf("registers %+v", threads)
		}
		return failed
	})
	if !errors.Is(err, failed) || stop.Threads != 1 || stop.Moving != 0 || stop.For <= 0 {
		t.Errorf("%+v, %v", stop, err)
	}
	expectState("S")
	tasks, _ := filepath.Glob("/proc/self/task/*")
	want, err := unix.Getpriority(unix.PRIO_PROCESS, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(filepath.Base(task))
		if got, err := unix.Getpriority(unix.PRIO_PROCESS, tid); err == nil && got != want {
			t.Errorf("thread with priority %d, want %d", got, want)
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if _, err := p.WhileStopped(func(map[int]Registers) error { return nil }); err == nil {
		t.Error("no error for a process that has ended")
	}
}

// whileAllStop calls WhileStopped until all threads have stopped in time: on a busy machine some may be too late.
func whileAllStop(p *Process, during func(map[int]Registers) error) (stop Stop, err error) {
	for deadline := time.Now().Add(time.Minute); ; {
		stop, err = p.WhileStopped(func(threads map[int]Registers) error {
			if len(threads) == 0 {
				return nil
			}
			return during(threads)
		})
		if stop.Moving == 0 || time.Now().After(deadline) {
			return stop, err
		}
	}
}

// A thread that could not be stopped in time is still traced when the process is stopped again. The
// second stop waits until the first has released it.
func TestWhileStoppedAgain(t *testing.T) {
	path := mountFUSE(t, fuseRead) // a thread that reads from it cannot be stopped
	cmd := exec.Command("sh", "-c", `read line <"$0"; exec sleep 60`, path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	p, err := Open(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	waitForRead(t, p, path)
	nothing := func(map[int]Registers) error { return nil }
	if stop, err := p.WhileStopped(nothing); err != nil || stop.Threads != 1 || stop.Moving != 1 {
		t.Fatalf("first stop: %+v, %v; want one thread, which does not stop", stop, err)
	}
	time.AfterFunc(100*time.Millisecond, func() { unix.Unmount(filepath.Dir(path), unix.MNT_FORCE|unix.MNT_DETACH) })
	began := time.Now()
	stop, err := whileAllStop(p, nothing)
	for err != nil && time.Since(began) >= maxHeld && time.Since(began) < time.Minute { // it has waited, but a busy machine is late
		stop, err = whileAllStop(p, nothing)
	}
	if err != nil || stop.Threads != 1 || stop.Moving != 0 {
		t.Errorf("second stop: %+v, %v; want one thread, which stops", stop, err)
	}
}

// waitForRead waits until a process's first thread is in read(0), with the file at path as its stdin.
func waitForRead(t *testing.T, p *Process, path string) {
	t.Helper()
	want := strconv.Itoa(unix.SYS_READ) + " 0x0 " // number and first argument (proc_pid_syscall(5))
	var stdin, call string
	for range 12_000 { // a minute
		stdin, _ = os.Readlink(p.path("fd/0"))
		call, _ = readBounded(p.path("syscall"), 4096)
		if stdin == path && strings.HasPrefix(call, want) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("the process does not read from %s: its stdin is %q, its system call %q", path, stdin, call)
}
