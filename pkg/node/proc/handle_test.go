//go:build linux

package proc

import (
	"errors"
	"os/exec"
	"testing"
)

// A handle notices that its process has ended, before and after its PID is free for another one.
func TestHandle(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Open(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.OpenHandle()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.VerifyRunning(); err != nil {
		t.Errorf("the running process: %v", err)
	}
	earlier := Process{PID: p.PID, StartTime: p.StartTime - 1}
	if _, err := earlier.OpenHandle(); !errors.Is(err, ErrMemoryGone) {
		t.Errorf("an earlier process with the same PID: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if err := h.VerifyRunning(); !errors.Is(err, ErrMemoryGone) {
		t.Errorf("the ended process: %v", err)
	}
	if _, err := p.OpenHandle(); !errors.Is(err, ErrMemoryGone) {
		t.Errorf("a handle of the ended process: %v", err)
	}
}
