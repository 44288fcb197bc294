package session

import (
	"context"
	"errors"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// profiler is a running profiler and the connection to it.
type profiler struct {
	running    *launch.Profiler
	connection *connection
	options    launch.Options // with which it was launched
}

func (p *profiler) leftContainer() string {
	if p.running.Mode != launch.Ephemeral || p.running.Reused {
		return ""
	}
	return p.running.Container
}

// LaunchOptions returns the options for a profiler that takes the requested profiles.
func LaunchOptions(o launch.Options, requests []api.Request) launch.Options {
	o.Requests, o.Duration, o.MemoryOnly = requests, 0, true
	for _, r := range requests {
		o.Duration = max(o.Duration, r.Duration)
		if r.Type.NeedsBPF {
			o.MemoryOnly = false
		}
	}
	return o
}

// start launches a profiler and connects to it. A kept profiler that does not answer is replaced by
// a new one. If nothing arrives by exec or attach, another profiler is launched that writes to its
// log, unless mustAnswer is set.
func (s *Session) start(ctx, early context.Context, t *target.Target, o launch.Options, mustAnswer bool) (*profiler, error) {
	for {
		p, again, err := s.tryStart(ctx, early, t, &o, mustAnswer)
		if !again {
			return p, err
		}
	}
}

// tryStart is one attempt of start. It adjusts the options if another attempt is worthwhile.
func (s *Session) tryStart(ctx, early context.Context, t *target.Target, o *launch.Options, mustAnswer bool) (p *profiler, again bool, err error) {
	c := &connection{config: s.config}
	o.Ready = c.ready
	plan, err := s.choose(early, t, *o)
	if err != nil {
		return nil, false, interrupted(early, err)
	}
	c.transfers = plan.Transfers()
	if c.onlyLog() && mustAnswer {
		return nil, false, ErrOnlyLogs
	}
	if c.onlyLog() && o.Keep > 0 {
		s.note("the profiler is not kept: only its log can be reached, through which it takes no further requests")
		o.Keep = 0
	}
	verb := "starting a"
	if plan.Object == nil {
		verb = "using the kept"
	}
	s.step("%s profiler for %s on node %s", verb, t, t.Node())
	running, err := plan.Launch(early)
	if err != nil {
		if early.Err() != nil && c.ref.Pod == t.Pod.Name {
			c.dismiss(ctx)
		}
		return nil, false, interrupted(early, err)
	}
	unreachable := c.connect(early, running)
	switch {
	case early.Err() != nil && c.client == nil && !c.onlyLog(): // interrupted before an answer
		var closeErr error
		if !running.Reused {
			c.dismiss(ctx)
			closeErr = running.Close(ctx)
		}
		return nil, false, errors.Join(interrupted(early, early.Err()), closeErr)
	case unreachable == nil:
		return &profiler{running: running, connection: c, options: *o}, false, nil
	case running.Reused && early.Err() == nil:
		s.note("the kept profiler does not answer: another one is started")
		o.Fresh = true
		return nil, true, nil
	}
	if mustAnswer || o.Transfer != "" || !slices.Contains(c.transfers, stream.Logs) {
		p := &profiler{running: running, connection: c}
		return nil, false, interrupted(early, errors.Join(c.unreachable(o.Transfer, mustAnswer, unreachable), p.finish(ctx, false)))
	}
	s.note("no data arrives by %v: another profiler is started, which writes to its log", c.requestTransfers())
	if err := running.Close(ctx); err != nil {
		s.note("%v", err)
	}
	o.Transfer, o.Keep = stream.Logs, 0
	return nil, true, nil
}

// choose asks the cluster which launcher it admits.
func (s *Session) choose(ctx context.Context, t *target.Target, o launch.Options) (*launch.Plan, error) {
	s.step("asking the cluster what it allows")
	checking, cancel := context.WithCancel(ctx)
	defer cancel()
	unusable := make(chan error, 1)
	go func() { unusable <- launch.CheckNode(checking, s.client, t) }()
	plan, err := launch.Choose(ctx, s.client, t, s.plan.Mode, o)
	if err == nil && plan.Object == nil { // a kept profiler runs already, so the node need not be asked
		cancel()
		<-unusable
		return plan, nil
	}
	if nodeErr := <-unusable; nodeErr != nil {
		return nil, nodeErr
	}
	if err == nil && plan.Fallback != "" {
		s.note("using %s", plan.Fallback)
	}
	if err == nil && plan.Slow != "" {
		s.note("%s", plan.Slow)
	}
	return plan, err
}

// finish ends the profiler, or leaves it waiting if keep is set, and deletes a Job. It takes at
// most goodbyeTimeout.
func (p *profiler) finish(ctx context.Context, keep bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTimeout)
	defer cancel()
	said := make(chan struct{})
	go func() {
		defer close(said)
		if c := p.connection.client; c != nil {
			_ = c.Exit(ctx, !keep) // a profiler that does not receive this ends by itself once the connection is gone
			c.Close()
		}
	}()
	defer func() { <-said }()
	if keep {
		return nil
	}
	return p.running.Close(ctx)
}
