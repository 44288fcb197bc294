package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
)

const (
	// resultTime is how long symbols and the transfer may take after sampling.
	resultTime = 2 * time.Minute
	// goodbyeTime is how long to wait for the profiler and the Job to take their leave.
	goodbyeTime = 4 * time.Second
)

// profile takes the profiles in a session, all at once. finish, to be called in any case, tells the profiler to
// exit and deletes the Job; it has begun when profile returns, so that it costs no time.
func (o *Options) profile(ctx, early context.Context, ui *progress, link *link, session *launch.Session) (parts []*part, finish func() error) {
	client := link.client
	parts = partsOf(o.requests)
	m := newMeter(ui, o.requests)
	if client == nil {
		o.readLog(ctx, early, m, link, session, parts)
	} else {
		client.Broken = func(ctx context.Context, err error) bool {
			ui.interrupted(err)
			why, err := session.Ended(ctx)
			return err == nil && why != ""
		}
		sample(ctx, early, m, client, parts)
	}
	keep := o.keeps(session, failed(parts))
	why := sync.OnceValue(func() string { return session.Why(ctx) })
	for _, p := range parts {
		if p.err != nil && ctx.Err() == nil && !refused(p.err) {
			p.salvage(why)
		}
		if p.profile != nil && early.Err() == nil {
			p.explain(why)
		}
	}
	noteEnd(ctx, session, parts)
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
	return parts, func() error { return <-done }
}

// salvage makes a partial profile of the slices that came of one that broke off; why is asked for the reason.
func (p *part) salvage(why func() string) {
	reason := ""
	if !errors.Is(p.err, errStopped) {
		reason = why()
	}
	if reason != "" {
		p.err = fmt.Errorf("%s: %w", reason, p.err)
	} else {
		reason = p.err.Error()
	}
	if merged := p.slices.merge(reason, p.request.Duration); merged != nil {
		p.profile, p.err = merged, nil
	}
}

// explain adds the reason to a profile that was stopped by something else than us, as by the end of its profiler's pod.
func (p *part) explain(why func() string) {
	for i, c := range p.profile.Comments {
		if how, stopped := strings.CutPrefix(c, api.PartialComment+api.Stopped); stopped {
			if reason := why(); reason != "" {
				p.profile.Comments[i] = api.PartialComment + reason + ": " + api.Stopped + how
			}
		}
	}
}

// noteEnd says in the profiles that the target ended meanwhile: a Job outlives it, and so does an ephemeral container in a pod
// whose containers share their processes' namespace, or have the node's.
func noteEnd(ctx context.Context, session *launch.Session, parts []*part) {
	target := sync.OnceValues(func() (string, error) { return session.TargetEnded(ctx) })
	for _, p := range parts {
		if p.profile == nil || p.instant() || partial(p.profile) != "" {
			continue
		}
		if why, err := target(); err == nil && why != "" {
			prefix := api.PartialComment
			if p.request.Restarts {
				prefix = restartComment
			}
			p.profile.Comments = append(p.profile.Comments, prefix+why)
		}
	}
}

// keeps tells whether the profiler is to go on waiting: a new one as the user wishes, unless it has
// failed, and one kept by an earlier run unless this one is given --keep 0s.
func (o *Options) keeps(session *launch.Session, err error) bool {
	if session.Reused {
		return o.launch.Keep > 0 || !o.changed("keep")
	}
	return o.launch.Keep > 0 && err == nil // 0 where it cannot be asked
}

// sample requests the profiles and shows their progress meanwhile. The end of early ends the sampling.
func sample(ctx, early context.Context, m *meter, client *client.Client, parts []*part) {
	var wg sync.WaitGroup
	stopping := sync.OnceFunc(func() { m.ui.step("stopping; Ctrl-C again quits at once") })
	for _, p := range parts {
		wg.Go(func() { p.sample(ctx, early, m, client, stopping) })
	}
	wg.Wait()
}

func (p *part) sample(ctx, early context.Context, m *meter, client *client.Client, stopping func()) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.request.Duration+resultTime,
		fmt.Errorf("no result %v after the end of sampling", resultTime))
	defer cancel()
	request := p.request
	request.Capture = api.NewCaptureID()

	watching, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		// Progress is for show: that it fails does not concern the profile.
		_ = client.Progress(watching, request.Capture, func(now api.Progress) { m.report(request.Type, now) })
	})
	if !p.instant() {
		wg.Go(func() {
			// They are wanted only if the profile does not come.
			_ = client.Slices(watching, request.Capture, p.slices.add)
		})
	}
	wg.Go(func() {
		select {
		case <-early.Done():
			stopping()
			if err := stopCapture(watching, client, request.Capture); err != nil && watching.Err() == nil {
				m.ui.note("the profiler could not be told to stop: %v", err)
			}
		case <-watching.Done():
		}
	})
	p.profile, p.err = client.Profile(ctx, request)
	end()
	wg.Wait()
	if p.err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.err = context.Cause(ctx)
	}
}

// stopCapture stops a capture, also one that the profiler has yet to hear of.
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
