package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func (c component) pidFile() string { return filepath.Join(stateDir, c.name+".pid") }
func (c component) logFile() string { return filepath.Join(stateDir, "logs", c.name+".log") }

// pid is the component's running process, 0 if there is none. A PID that another program has by
// now does not count: the command line must be ours.
func (c component) pid() int {
	text, err := os.ReadFile(c.pidFile())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(line), stateDir) {
		return 0
	}
	return pid
}

// start leaves the component running in a session of its own, so that it outlives this program.
func (c component) start() error {
	if c.pid() != 0 {
		return nil
	}
	for _, port := range c.ports {
		if err := portFree(port); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.command[0], c.command[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = log, log, environment(), stateDir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	if err := os.WriteFile(c.pidFile(), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// died says so, with the last lines of the log, when the component is not running any more.
func (c component) died() error {
	if c.pid() != 0 {
		return nil
	}
	log, _ := os.ReadFile(c.logFile())
	return fmt.Errorf("%s ended; its log %s ends with:\n%s", c.name, c.logFile(), log[max(0, len(log)-1500):])
}

func portFree(port int) error {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("port %d of 127.0.0.1 is in use by another program (find it with `ss -ltnp sport = :%d`)", port, port)
	}
	return l.Close()
}

// stop ends processes, first politely, and waits until they are gone.
func stop(pids []int) error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for _, pid := range pids {
			syscall.Kill(pid, signal)
		}
		deadline := time.Now().Add(5 * time.Second)
		for time.Now().Before(deadline) {
			pids = alive(pids)
			if len(pids) == 0 {
				return nil
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return fmt.Errorf("processes %v do not end", pids)
}

func alive(pids []int) []int {
	var left []int
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if _, after, ok := strings.Cut(string(status), ") "); ok && strings.HasPrefix(after, "Z") {
			continue // a zombie: its parent is this program or an init that does not reap
		}
		left = append(left, pid)
	}
	return left
}
