package fuzzbudget

import (
	"strings"
	"testing"
	"time"
)

// recorder is a testing.TB that keeps the message of Error and runs the cleanup when told to.
type recorder struct {
	testing.TB
	message string
	cleanup func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanup = f }
func (r *recorder) Error(a ...any)   { r.message, _ = a[0].(string) }

var kept []byte

func allocate(mib int) {
	for range mib {
		kept = make([]byte, 1<<20)
	}
}

func spin(cpu time.Duration) {
	for began := cpuTime(); cpuTime()-began < cpu; {
	}
}

func TestEnforce(t *testing.T) {
	for name, c := range map[string]struct {
		body func()
		want string
	}{
		"within the budget":     {func() { allocate(40); spin(100 * time.Millisecond) }, ""},
		"too much memory":       {func() { allocate(80) }, "MiB; the budget is 64 MiB"},
		"in another goroutine":  {func() { done := make(chan bool); go func() { allocate(80); done <- true }(); <-done }, "allocate 8"},
		"too much CPU time":     {func() { spin(maxCPU + 200*time.Millisecond) }, "of CPU time; the budget is 1s"},
		"waiting is not a cost": {func() { time.Sleep(1200 * time.Millisecond) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{TB: t}
			enforce(r, func(message string) { t.Errorf("stopped: %s", message) })
			c.body()
			r.cleanup()
			if !strings.Contains(r.message, c.want) || (r.message != "") != (c.want != "") {
				t.Errorf("Enforce reported %q, want %q", r.message, c.want)
			}
		})
	}
}

func TestEnforceStopsARunawayTarget(t *testing.T) {
	r := &recorder{TB: t}
	stopped := make(chan string, 1)
	enforce(r, func(message string) { stopped <- message })
	allocate(hardStop*maxAllocated>>20 + 20)
	select {
	case message := <-stopped:
		if !strings.Contains(message, "allocate") {
			t.Error(message)
		}
	case <-time.After(30 * time.Second):
		t.Error("the target was not stopped while it ran")
	}
	r.cleanup()
}
