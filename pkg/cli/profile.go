package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/launch"
)

const (
	// resultTime is how long symbols and the transfer may take after sampling.
	resultTime = 2 * time.Minute
	// goodbyeTime is how long to wait for the profiler and the Job to take their leave.
	goodbyeTime = 4 * time.Second
)

// profile takes the profile in a session. finish, to be called in any case, tells the profiler to
// exit and deletes the Job; it has begun when profile returns, so that it costs no time.
func (o *Options) profile(ctx, early context.Context, ui *progress, link *link, session *launch.Session) (p *profile.Profile, finish func() error, err error) {
	client := link.client
	ui.step("sampling for %v", o.request.Duration)
	var slices received
	if client == nil {
		p, err = o.readLog(ctx, early, ui, link, session, &slices)
	} else {
		client.Broken = func(ctx context.Context, err error) bool {
			ui.interrupted(err)
			why, err := session.Ended(ctx)
			return err == nil && why != ""
		}
		p, err = o.sample(ctx, early, ui, client, &slices)
	}
	keep := o.keeps(session, err)
	if err != nil && ctx.Err() == nil && !errors.As(err, new(*api.Error)) {
		why := ""
		if !errors.Is(err, errStopped) {
			why = session.Why(ctx)
		}
		if why != "" {
			err = fmt.Errorf("%s: %w", why, err)
		} else {
			why = err.Error()
		}
		if part := slices.merge(why, o.request.Duration); part != nil {
			p, err = part, nil
		}
	}
	if err == nil && session.Mode == launch.Job && partial(p) == "" {
		if why, err := session.TargetEnded(ctx); err == nil && why != "" {
			prefix := api.PartialComment
			if o.request.Restarts {
				prefix = restartComment
			}
			p.Comments = append(p.Comments, prefix+why)
		}
	}
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if client == nil {
				return
			}
			// A profiler that does not hear this ends by itself when the connection is gone.
			_ = client.Exit(ctx, !keep)
			client.Close()
		})
		var closeErr error
		if !keep {
			closeErr = session.Close(ctx)
		}
		wg.Wait()
		done <- closeErr
	}()
	return p, func() error { return <-done }, err
}

// keeps tells whether the profiler is to go on waiting: a new one as the user wishes, unless it has
// failed, and one kept by an earlier run unless this one is given --keep 0s.
func (o *Options) keeps(session *launch.Session, err error) bool {
	if session.Reused {
		return o.launch.Keep > 0 || !o.keepSet()
	}
	return o.launch.Keep > 0 && err == nil
}

// sample requests the profile and shows its progress meanwhile. The end of early ends the sampling.
func (o *Options) sample(ctx, early context.Context, ui *progress, client *api.Client, slices *received) (*profile.Profile, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.request.Duration+resultTime,
		fmt.Errorf("no result %v after the end of sampling", resultTime))
	defer cancel()
	request := o.request
	request.Capture = api.NewCaptureID()

	watching, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		// Progress is for show: that it fails does not concern the profile.
		_ = client.Progress(watching, request.Capture, func(p api.Progress) { ui.sampling(p, request.Duration) })
	})
	wg.Go(func() {
		// They are wanted only if the profile does not come.
		_ = client.Slices(watching, request.Capture, slices.add)
	})
	wg.Go(func() {
		select {
		case <-early.Done():
			ui.step("stopping; Ctrl-C again quits at once")
			if err := stopCapture(watching, client, request.Capture); err != nil && watching.Err() == nil {
				ui.note("the profiler could not be told to stop: %v", err)
			}
		case <-watching.Done():
		}
	})
	p, err := client.Profile(ctx, request)
	end()
	wg.Wait()
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return p, err
}

// stopCapture stops a capture, also one that the profiler has yet to hear of.
func stopCapture(ctx context.Context, client *api.Client, capture string) error {
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
