//go:build linux

package capture

import (
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
	id, pid := startTarget(t, "spin")
	w, err := newGoroutineWall(Options{ContainerID: id, Frequency: 99})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.running.sampler.err = errors.New("refused by a test")
	w.readUntil(untilUsed(t, pid, time.Second))
	b := newProfileBuilder(time.Now(), time.Second, goroutineKind())
	w.addStacks(b.addAll)
	w.describe(b)
	r, err := b.result()
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
