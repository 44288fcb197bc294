//go:build linux

package unwindmaps

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// slowSetter is ranges whose tables take until release is closed.
type slowSetter struct {
	release chan struct{}
	set     chan uint32 // PIDs of the processes that were set
}

func (s *slowSetter) Set(ctx context.Context, p record.ProcessIdentity, _ int, _ []process.Mapping) error {
	select {
	case <-s.release:
		s.set <- p.TGID
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// While an object is compiled, requests are accepted, waiting is bounded, and a process is queued only once.
func TestLoaderDoesNotBlockItsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock moves only while everybody waits
		s := &slowSetter{release: make(chan struct{}), set: make(chan uint32, maxQueued+1)}
		l := NewLoader(s)
		defer l.Close()
		l.Add(record.ProcessIdentity{TGID: 1}, 1, nil)
		began := time.Now()
		for range 1000 {
			l.Wait(10 * time.Millisecond)
		}
		if took := time.Since(began); took != 10*time.Millisecond {
			t.Errorf("1,000 waits of 10 ms took %v, want 10 ms for the first and no time for the others", took)
		}
		for range 3 {
			l.Add(record.ProcessIdentity{TGID: 2}, 2, nil)
		}
		close(s.release)
		l.WaitUntil(time.Now().Add(10 * time.Second))
		close(s.set)
		var got []uint32
		for pid := range s.set {
			got = append(got, pid)
		}
		if len(got) != 2 || got[0] != 1 || got[1] != 2 || l.Failed() != 0 {
			t.Errorf("set %v with %d failures, want 1 and 2 once each", got, l.Failed())
		}
	})
}

func TestLoaderBoundsItsQueue(t *testing.T) {
	s := &slowSetter{release: make(chan struct{})}
	l := NewLoader(s)
	for pid := range uint32(maxQueued + 100) {
		l.Add(record.ProcessIdentity{TGID: pid}, int(pid), nil)
	}
	if n := l.Failed(); n < 99 || n > 100 { // one more fits if the first is being served already
		t.Errorf("%d of %d processes were refused, want 100", n, maxQueued+100)
	}
	l.Close() // although the first is still being served
}
