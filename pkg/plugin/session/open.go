package session

import (
	"context"
	"errors"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

const (
	// reconnectTime is how long an open profiler waits for us after the connection broke.
	reconnectTime = 2 * time.Minute
	// checkInterval is how often an open profiler is asked whether it is there: a connection that
	// broke is opened again, and the end of the profiler is noticed.
	checkInterval = 5 * time.Second
)

// Open is a profiler that takes profiles on request.
type Open struct {
	*profiler
	session *Session
}

// Open launches a profiler that takes requests for the plan's duration at most. The contexts are as
// for Take. Close must be called in the end.
func (s *Session) Open(ctx, early context.Context) (*Open, error) {
	o := LaunchOptions(s.plan.Launch, s.plan.Requests)
	o.Duration, o.Keep = s.plan.Duration, reconnectTime
	p, err := s.start(ctx, early, s.target, o, true)
	if err != nil {
		return nil, interrupted(early, err)
	}
	return &Open{p, s}, nil
}

// Close ends the profiler, unless an earlier session kept it: that one ends by itself when nobody
// is connected.
func (o *Open) Close(ctx context.Context) error { return o.finish(ctx, o.running.Reused) }

// LeftContainer is as for Outcome.
func (o *Open) LeftContainer() string { return o.leftContainer() }

// Profile takes a profile. Cancelling ctx ends its capture.
func (o *Open) Profile(ctx context.Context, r api.Request) (*profile.Profile, error) {
	if r.Capture == "" {
		r.Capture = api.NewCaptureID()
	}
	p, err := o.connection.client.Profile(ctx, r)
	if ctx.Err() != nil {
		o.stop(ctx, r.Capture)
	}
	if err != nil {
		return nil, err
	}
	describe(p, r.Type.Name, o.session.target)
	return p, nil
}

// Cmdline returns the arguments of the target's first process, separated by zero bytes.
func (o *Open) Cmdline(ctx context.Context) ([]byte, error) { return o.connection.client.Cmdline(ctx) }

// Watch checks from time to time whether the profiler and its target run. It returns nil at the end
// of ctx, and an error if one of them has ended before.
func (o *Open) Watch(ctx context.Context) error {
	for ctx.Err() == nil {
		checking, cancel := context.WithTimeout(ctx, reconnectTime)
		_, err := o.connection.client.Version(checking)
		cancel()
		if why, endedErr := o.running.TargetEnded(ctx); endedErr == nil && why != "" { // a Job does not end with it
			return errors.New(why)
		}
		if err != nil && ctx.Err() == nil {
			o.session.broken.add(err)
			if why, endedErr := o.running.Ended(ctx); endedErr == nil && why != "" {
				return errors.New(why)
			}
		}
		select {
		case <-time.After(checkInterval):
		case <-ctx.Done():
		}
	}
	return nil
}

// HoldMemProfile keeps the memory profile of Go programs turned on, as the request describes it,
// until ctx ends or release is called. release returns when the target is restored. A profile of
// allocations is taken all the time for that, and thrown away. If that fails, failed receives the
// error; repeated errors are left out.
func (o *Open) HoldMemProfile(ctx context.Context, r api.Request, failed func(error)) (release func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	r.Type = api.Allocs
	go func() {
		defer close(done)
		last := ""
		for ctx.Err() == nil {
			r.Capture, r.Duration = api.NewCaptureID(), api.MaxDuration
			if end, ok := ctx.Deadline(); ok {
				r.Duration = max(min(r.Duration, time.Until(end)), time.Millisecond)
			}
			if err := o.discardProfile(ctx, r); err != nil && ctx.Err() == nil {
				if text := err.Error(); text != last {
					failed(err)
					last = text
				}
				select {
				case <-time.After(checkInterval):
				case <-ctx.Done():
				}
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// discardProfile takes a profile and stops it at the end of ctx. It returns when the capture has
// ended.
func (o *Open) discardProfile(ctx context.Context, r api.Request) error {
	taking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		o.stop(taking, r.Capture)
		select {
		case <-time.After(goodbyeTimeout):
			cancel()
		case <-taking.Done():
		}
	})()
	_, err := o.connection.client.Profile(taking, r)
	return err
}

// stop ends a capture, also after the end of ctx. One that does not receive it ends by itself.
func (o *Open) stop(ctx context.Context, capture string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTimeout)
	defer cancel()
	_ = o.connection.client.Stop(ctx, capture)
}
