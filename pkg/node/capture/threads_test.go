//go:build linux

package capture_test

import (
	"context"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A target with very many threads does not prolong the profile: reading them ends with it. Every thread is in the profile, or
// is counted as left out.
func TestOffCPUOfManyThreadsEndsInTime(t *testing.T) {
	need.Root(t)
	const threads = 10_000
	s := startWithPipes(t, compileC(t, "testdata/threads.c", "-O2", "-pthread"), "10000")
	if _, err := s.stdout.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	for _, duration := range []time.Duration{time.Second, 0} { // the latter ends before the first thread is read
		c, err := sampling.NewOffCPU(capture.Options{ContainerID: s.id, ByThread: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), duration)
		defer cancel()
		r, err := c.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		read, unread := int64(0), meta.UnreadSleepers.Get(r.Profile)
		for _, one := range r.Profile.Sample {
			read += one.Value[0]
		}
		lost := meta.LostWaits.Get(r.Profile).Count
		t.Logf("in %v %d threads read, %d lost, %d left out", duration, read, lost, unread)
		if read+lost+unread < threads || duration > 0 && read == 0 || duration == 0 && unread < threads {
			t.Errorf("in %v of %d threads %d are in the profile, %d lost and %d left out", duration, threads, read, lost, unread)
		}
	}
}
