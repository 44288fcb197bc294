package session

import (
	"context"
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// take launches one profiler and takes the requested profiles, all at once. It also returns when
// sampling began.
func (s *Session) take(ctx, early context.Context, t *target.Target, o launch.Options, requests []api.Request) (*Outcome, time.Time, error) {
	requests = s.restartable(requests)
	p, err := s.start(ctx, early, t, LaunchOptions(o, requests), false)
	if err != nil {
		return nil, time.Time{}, err
	}
	outcome := &Outcome{Results: newResults(requests), LeftContainer: p.leftContainer(), profiler: p, finished: make(chan error, 1)}
	for _, r := range outcome.Results {
		r.Request.Restarts = launch.Restarts(r.Request, p.running.Mode, p.connection.transfers)
	}
	begin := time.Now()
	progress := newProgress(s.report, requests)
	if p.connection.client == nil {
		s.readLog(ctx, early, progress, p, outcome.Results)
	} else {
		s.sample(ctx, early, progress, p, outcome.Results)
	}
	keep := s.keeps(p, outcome.failure())
	if keep && !p.running.Reused {
		if err := p.running.Remember(ctx); err != nil {
			s.note("the profiler is not kept, because later runs could not recognise it: %v", err)
			keep = false
		} else {
			outcome.KeptFor = p.options.Keep
		}
	}
	s.explain(ctx, early, p, outcome.Results)
	go func() { outcome.finished <- p.finish(ctx, keep) }()
	return outcome, begin, nil
}

// restartable returns the requests with Restarts set if the plan is to continue after restarts of the
// target and the type can.
func (s *Session) restartable(requests []api.Request) []api.Request {
	requests = slices.Clone(requests)
	for i := range requests {
		requests[i].Restarts = s.plan.WaitForRestart && requests[i].Type.Restarts
	}
	return requests
}

// keeps reports whether the profiler goes on waiting. A new one does as the plan says, unless it
// failed; one that an earlier session kept does unless the plan ends it.
func (s *Session) keeps(p *profiler, err error) bool {
	if p.running.Reused {
		return !s.plan.EndReused
	}
	return p.options.Keep > 0 && err == nil // 0 where only the log can be read
}
