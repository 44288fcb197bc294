//go:build linux

package sampling_test

import (
	"context"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// The end of sampling does not wait for the next time at which the ring buffer is read.
func TestSamplingEndsAtOnce(t *testing.T) {
	need.Root(t)
	id, _ := capturetest.StartWorkload(t, "spin")
	const limit = 200 * time.Millisecond // less than a quarter of the time between two turns
	quickest := time.Hour
	for began := time.Now(); quickest > limit && time.Since(began) < capturetest.WaitLimit; { // a busy machine delays some
		c, err := sampling.NewCPU(run.Options{ContainerID: id, Frequency: 99})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = c.Run(ctx)
		deadline, _ := ctx.Deadline()
		quickest = min(quickest, time.Since(deadline))
		cancel()
		c.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	if quickest > limit {
		t.Errorf("the profile came %v after the end of sampling", quickest)
	}
}
