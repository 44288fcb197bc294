//go:build linux

package profiler

import (
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/slice"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A profiler that is killed has sent its samples but for those of the last moments: slices that
// make a profile with names arrive while it samples.
func TestKilledProfilerHasSentWhatItSampled(t *testing.T) {
	need.Root(t)
	spin := program(t, "test/workloads/spin")
	target := startContainer(t, spin, "-threads", "1")
	profiler := startProfiler(t, target.id)
	c := profiler.connect(t)
	id := api.NewCaptureID()
	const enough = 150 // samples
	var sum slice.Sum
	var received int64
	slices := 0
	ended := make(chan error, 1)
	go func() {
		ended <- c.Slices(t.Context(), id, func(data []byte) error {
			x, err := slice.Decode(data)
			if err != nil {
				return err
			}
			for i := 1; i < len(x.Values); i += 3 { // a stack, its samples, their nanoseconds
				received += x.Values[i]
			}
			err = sum.Add(data)
			if slices++; received >= enough {
				syscall.Kill(profiler.pid, syscall.SIGKILL)
				c.Close()
			}
			return err
		})
	}()
	request := api.Request{Type: api.CPU, Capture: id, Duration: 2 * time.Minute, Frequency: 99}
	if p, err := c.Profile(t.Context(), request); err == nil {
		t.Fatalf("the killed profiler sent %v", p)
	}
	if err := <-ended; err == nil {
		t.Error("the slices ended before the profiler was killed")
	}
	p, err := sum.Profile()
	if err != nil || p == nil {
		t.Fatalf("%v, %v", p, err)
	}
	var got, named int64
	for _, s := range p.Sample {
		got += s.Value[0]
		if onStack(s, "main.turnWheel") {
			named += s.Value[0]
		}
	}
	// A busy profiler finds some names only later.
	if got < enough || got != received || named == 0 || slices < 2 {
		t.Errorf("the profile has %d samples, %d of them named, of %d received in %d slices", got, named, received, slices)
	}
}
