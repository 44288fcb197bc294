package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
)

// sample requests the profiles and reports progress meanwhile. Cancelling early stops sampling.
func (s *Session) sample(ctx, early context.Context, progress *progress, p *profiler, results []*Result) {
	client := p.connection.client
	client.Broken = func(ctx context.Context, err error) bool {
		s.broken.add(err)
		why, err := p.running.Ended(ctx)
		return err == nil && why != ""
	}
	client.Timing = func(t api.ProfileType, steps []api.Step) { s.report.Timing(t.Name, steps) }
	reportStop := sync.OnceFunc(func() { s.step("stopping; press Ctrl-C again to abort") })
	var wg sync.WaitGroup
	for _, r := range results {
		wg.Go(func() { s.sampleOne(ctx, early, progress, client, r, reportStop) })
	}
	wg.Wait()
}

func (s *Session) sampleOne(ctx, early context.Context, progress *progress, client *client.Client, r *Result, reportStop func()) {
	ctx, cancel := withResultTimeout(ctx, r.Request.Duration)
	defer cancel()
	request := r.Request
	request.Capture = api.NewCaptureID()

	watching, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		// Progress is for show: the profile does not depend on it.
		_ = client.Progress(watching, request.Capture, func(now api.Progress) { progress.update(request.Type.Name, now) })
	})
	if !r.Request.Instant() {
		wg.Go(func() {
			// Slices are needed only if the profile does not arrive. If it does not because the
			// connection broke or the profiler ended, the slices end for the same reason.
			if err := client.Slices(watching, request.Capture, r.addSlice); refused(err) {
				r.slicesErr = err
			}
		})
	}
	wg.Go(func() {
		select {
		case <-early.Done():
			reportStop()
			if err := stopCapture(watching, client, request.Capture); err != nil && watching.Err() == nil {
				s.note("the profiler could not be told to stop: %v", err)
			}
		case <-watching.Done():
		}
	})
	r.Profile, r.Err = client.Profile(ctx, request)
	end()
	wg.Wait()
	if r.Err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		r.Err = context.Cause(ctx)
	}
}

// withResultTimeout bounds the wait for a profile of the given duration.
func withResultTimeout(ctx context.Context, duration time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, duration+resultTimeout, fmt.Errorf("no result %v after the end of sampling", resultTimeout))
}

// stopCapture stops a capture, also one that the profiler has not heard of yet.
func stopCapture(ctx context.Context, client *client.Client, capture string) error {
	for {
		err := client.Stop(ctx, capture)
		var refusal *api.Error
		if !errors.As(err, &refusal) || refusal.Reason != api.ReasonUnknownCapture {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// resultTimeout bounds the time from the end of sampling to the result: symbols and the transfer.
const resultTimeout = 2 * time.Minute
