//go:build linux

package proc

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestWithTimeout(t *testing.T) {
	released := make(chan int, 1)
	late := func(n int) { released <- n }
	if n, err := withTimeout(time.Minute, "read", func() (int, error) { return 7, nil }, late); n != 7 || err != nil {
		t.Errorf("in time: %d, %v", n, err)
	}
	answer := make(chan struct{})
	n, err := withTimeout(time.Millisecond, "read", func() (int, error) { <-answer; return 8, nil }, late)
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || hungCalls.Load() != 1 {
		t.Errorf("late: %d, %v, %d calls hang", n, err, hungCalls.Load())
	}
	close(answer)
	if n := <-released; n != 8 || hungCalls.Load() != 0 {
		t.Errorf("released %d, %d calls hang", n, hungCalls.Load())
	}
}

// The number of threads in calls that never return is bounded.
func TestHungCallsAreBounded(t *testing.T) {
	answer := make(chan struct{})
	hang := func() (int, error) { <-answer; return 0, nil }
	released := make(chan int)
	for range maxHungCalls {
		withTimeout(time.Millisecond, "read", hang, func(n int) { released <- n })
	}
	_, err := withTimeout(time.Hour, "read", hang, nil)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one more call: %v", err)
	}
	close(answer)
	for range maxHungCalls {
		<-released
	}
	if _, err := withTimeout(time.Minute, "read", func() (int, error) { return 0, nil }, nil); err != nil {
		t.Errorf("after the calls have returned: %v", err)
	}
}

func BenchmarkReadAt(b *testing.B) {
	self, err := Open(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	f, err := self.OpenInRoot("/bin/sh")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 4096)
	for i := 0; b.Loop(); i++ {
		f.timeLeft = readTimeout
		if _, err := f.ReadAt(buf, int64(i%16)*4096); err != nil {
			b.Fatal(err)
		}
	}
}
