//go:build linux

package sampling

import (
	"context"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Samples that find no room in the ring buffer are counted: those that came and those that were
// lost are together those that were taken.
func TestLostSamplesAreCounted(t *testing.T) {
	need.Root(t)
	id, _ := capturetest.StartWorkload(t, "deep") // 8 KiB a sample: the buffer is soon full
	c, err := NewCPU(run.Options{ContainerID: id, Frequency: requirements.MaxFrequency})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// Sample without reading, as if user space got no CPU time.
	if err := c.events.enable(true); err != nil {
		t.Fatal(err)
	}
	capturetest.WaitFor(t, "samples to be lost", func() bool {
		if err := c.countLost(); err != nil {
			t.Fatal(err)
		}
		return c.Lost.Load() >= 10
	})
	if err := c.events.enable(false); err != nil {
		t.Fatal(err)
	}
	if err := c.countLost(); err != nil {
		t.Fatal(err)
	}
	lost, waiting := c.Lost.Load(), c.ring.reader.AvailableBytes()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p := c.Progress()
	if p.Lost < lost {
		t.Errorf("%d lost samples in the end, %d before reading", p.Lost, lost)
	}
	if got := sumOfSamples(r.Profile); uint64(got) != p.Samples || got < int64(waiting/(9<<10)) {
		t.Errorf("%d samples in the profile, %d counted; %d bytes of at most 9 KiB a sample were waiting", got, p.Samples, waiting)
	}
}

func sumOfSamples(p *profile.Profile) (n int64) {
	for _, s := range p.Sample {
		n += s.Value[0]
	}
	return n
}
