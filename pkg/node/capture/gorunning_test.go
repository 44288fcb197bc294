//go:build linux

package capture

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Where threads cannot be sampled, goroutines that run are counted all the same, and the profile says why they have no
// stacks.
func TestRunningGoroutinesWithoutSamples(t *testing.T) {
	need.Root(t)
	id, _ := startTarget(t, "spin")
	w, err := NewWall(Options{ContainerID: id, Frequency: 99})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.running.sampler.err = errors.New("refused by a test")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	r, err := w.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	without := int64(0)
	for _, s := range r.Profile.Sample {
		if l := s.Location[0]; len(l.Line) > 0 && l.Line[0].Function.Name == RunningGoroutine {
			without += s.Value[0]
		}
	}
	if why := strings.Join(r.Profile.Comments, "\n"); without < 10 || !strings.Contains(why, "cannot be sampled: refused by a test") {
		t.Errorf("%d samples of running goroutines: %s", without, why)
	}
}

// Records in the ring that are none are no samples.
func TestParseThreadSample(t *testing.T) {
	for n := range 200 {
		for _, fill := range []byte{0, 1, 0xff} {
			b := make([]byte, n)
			for i := range b {
				b[i] = fill
			}
			if s, ok := parseThreadSample(b); ok && len(s.stack) > n {
				t.Errorf("%d bytes have a stack of %d", n, len(s.stack))
			}
		}
	}
}
