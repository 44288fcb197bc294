//go:build linux

package profiles

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Where threads cannot be sampled, goroutines that run are counted all the same, and the profile says why they have no
// stacks.
func TestRunningGoroutinesWithoutSamples(t *testing.T) {
	need.Root(t)
	id, pid := capturetest.StartWorkload(t, "spin")
	<-capturetest.UntilUsed(t, pid, 10*time.Millisecond).Done() // its runtime has started
	w, err := NewWall(run.Options{ContainerID: id, Frequency: 99})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.running.sampler.err = errors.New("refused by a test")
	ctx, cancel := context.WithTimeout(t.Context(), capturetest.WaitLimit)
	defer cancel()
	go func() {
		defer cancel()
		for readings := 0; ctx.Err() == nil && readings < 20; time.Sleep(10 * time.Millisecond) {
			w.mu.Lock()
			readings = w.readings
			w.mu.Unlock()
		}
	}()
	w.Run(ctx)
	b := builder.New(time.Now(), time.Second, goroutineKind())
	w.AddStacks(b.AddAll)
	w.Describe(b)
	r, err := b.Result()
	if err != nil {
		t.Fatal(err)
	}
	without := int64(0)
	for _, s := range r.Profile.Sample {
		if l := s.Location[0]; len(l.Line) > 0 && l.Line[0].Function.Name == builder.RunningGoroutine {
			without += s.Value[0]
		}
	}
	if why := strings.Join(r.Profile.Comments, "\n"); without < 10 || !strings.Contains(why, "cannot be sampled: refused by a test") {
		t.Errorf("%d samples of running goroutines: %s", without, why)
	}
}

// More goroutines than threads are sampled at once get their stacks one after the other.
func TestManyRunningGoroutines(t *testing.T) {
	need.Root(t)
	id, pid := capturetest.StartWorkload(t, "spins")
	<-capturetest.UntilUsed(t, pid, 10*time.Millisecond).Done() // its runtime has started
	c, err := NewGoroutines(run.Options{ContainerID: id})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, running := c.programs.all[0], []*golang.Goroutine(nil)
	capturetest.WaitFor(t, "enough goroutines to run at once", func() bool {
		running = nil
		err := p.goroutines.Each(t.Context(), nil, func(g *golang.Goroutine) {
			if g.End == golang.NoStack {
				running = append(running, clone(g))
			}
		})
		return err == nil && len(running) > maxThreadEvents
	})
	c.running.giveUp(c.running.find(p, running, capturetest.WaitLimit)) // each thread needs a CPU for a moment
	if c.running.found < len(running)*9/10 || c.running.sampler.armed != 0 {
		t.Errorf("stacks of %d of %d goroutines; %d threads are still armed", c.running.found, len(running), c.running.sampler.armed)
	}
}
