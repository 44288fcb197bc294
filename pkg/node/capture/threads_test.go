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

// A target with very many threads does not prolong the profile. Every thread is in it, or is counted as left out.
func TestOffCPUOfManyThreadsEndsInTime(t *testing.T) {
	need.Root(t)
	const threads = 10_000
	s := startWithPipes(t, compileC(t, "testdata/threads.c", "-O2", "-pthread"), "10000")
	if _, err := s.stdout.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c, err := sampling.NewOffCPU(capture.Options{ContainerID: s.id, ByThread: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const duration = time.Second
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	began := time.Now()
	r, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > capture.WaitLimit {
		t.Errorf("the profile of %v took %v", duration, took)
	}
	read, unread := int64(0), meta.UnreadSleepers.Get(r.Profile)
	for _, one := range r.Profile.Sample {
		read += one.Value[0]
	}
	lost := meta.LostWaits.Get(r.Profile).Count
	t.Logf("%d threads read, %d lost, %d left out", read, lost, unread)
	if read == 0 || read+lost+unread < threads {
		t.Errorf("of %d threads %d are in the profile, %d lost and %d left out", threads, read, lost, unread)
	}
}
