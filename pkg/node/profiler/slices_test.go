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

// A profiler that is killed loses at most what it sampled in the last 2 s. The slices that it has
// sent make a profile with names.
func TestKilledProfilerHasSentWhatItSampled(t *testing.T) {
	need.Root(t)
	spin := program(t, "test/workloads/spin")
	target := startContainer(t, spin, "-threads", "1")
	profiler := startProfiler(t, target.id)
	c := profiler.connect(t)
	id := api.NewCaptureID()
	type reading struct {
		at      time.Time
		samples uint64
	}
	var sampled []reading
	var sum slice.Sum
	watched, received := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(watched)
		_ = c.Progress(t.Context(), id, func(p api.Progress) {
			if sampled = append(sampled, reading{time.Now(), p.Samples}); p.Samples > 250 {
				syscall.Kill(profiler.pid, syscall.SIGKILL)
				c.Close()
			}
		})
	}()
	go func() { received <- c.Slices(t.Context(), id, sum.Add) }()
	request := api.Request{Type: api.CPU, Capture: id, Duration: 2 * time.Minute, Frequency: 99}
	if p, err := c.Profile(t.Context(), request); err == nil {
		t.Fatalf("the killed profiler sent %v", p)
	}
	<-watched
	if err := <-received; err == nil {
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
	want, killed := uint64(0), sampled[len(sampled)-1].at
	for _, r := range sampled {
		if killed.Sub(r.at) > 1900*time.Millisecond { // readings are a second apart, give or take some milliseconds
			want = r.samples
		}
	}
	if uint64(got) < want || want == 0 || named < got*3/4 {
		t.Errorf("%d samples have arrived, %d of them named, of %d that were taken 1.9 s before the profiler was killed: %v",
			got, named, want, sampled)
	}
}
