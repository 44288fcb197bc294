//go:build linux

package profiles

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A program whose goroutines once take too long to read is read again. If it happens again and
// again, the program is left out, and the profile says so.
func TestSlowReadings(t *testing.T) {
	need.Root(t)
	id, pid := capturetest.StartWorkload(t, "spin")
	<-capturetest.UntilUsed(t, pid, 10*time.Millisecond).Done() // its runtime has started
	w, err := NewWall(run.Options{ContainerID: id})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.begin = time.Now()
	noTime, cancel := context.WithCancel(t.Context())
	cancel()
	p, one := w.Processes.all[0], stack.Amount{Count: 1}
	for i, slow := range []bool{true, true, false, true, true, true} {
		if !w.Has(p.generation.Process.PID) {
			t.Fatalf("it is not read any more after %d readings", i)
		}
		ctx := t.Context()
		if slow {
			ctx = noTime
		}
		w.readOrRemove(ctx, p, one)
	}
	if w.Has(p.generation.Process.PID) {
		t.Error("it is still read")
	}
	b := builder.New(w.begin, time.Second, goroutineKind())
	w.Describe(b)
	if all := strings.Join(b.Profile.Comments, "\n"); !strings.Contains(all, "ended early: 5") || !strings.Contains(all, "left out: ") {
		t.Errorf("the comments do not name the readings that ended early and the program that was left out: %s", all)
	}
}
