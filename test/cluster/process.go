//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
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

// pid returns the PID of the component's running process, 0 if there is none. It checks the command
// line, because another program may have got the PID.
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

// start starts the component in a session of its own, so that it keeps running when this program ends.
func (c component) start() error {
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

// died returns an error with the last lines of the log if the component was started and has ended.
// It does not check the command line as pid does, because that is empty for a moment during execve.
func (c component) died() error {
	text, err := os.ReadFile(c.pidFile())
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || len(alive([]int{pid})) != 0 {
		return nil
	}
	log, _ := os.ReadFile(c.logFile())
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return fmt.Errorf("%s ended; its log %s ends with:\n%s", c.name, c.logFile(), strings.Join(lines[max(0, len(lines)-5):], "\n"))
}

// kill kills processes and waits until they have ended. A cluster has no data worth saving, so it
// sends SIGKILL at once.
func kill(pids []int) error {
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if pids = alive(pids); len(pids) == 0 {
			return nil
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
