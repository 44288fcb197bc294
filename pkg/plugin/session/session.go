// Package session takes profiles of one container from start to end: it launches a profiler,
// connects to it, requests and receives the profiles, goes on when the container restarts, and ends
// the profiler. Its entry points are Session.Take, Session.Open for a profiler that answers
// requests for as long as it is needed, and TakeFromEndpoint. It must not depend on flags or the
// terminal: what happens is passed to a Reporter.
package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Plan is what a session does. A session never changes its plan.
type Plan struct {
	Requests []api.Request // one for each profile type
	Duration time.Duration // of sampling
	Mode     launch.Mode
	// Launch configures the profiler. The session itself sets Duration, MemoryOnly and Requests,
	// which follow from the requests, as well as Ready and Fresh.
	Launch launch.Options
	// EndReused ends a profiler that an earlier session kept; otherwise that one goes on waiting.
	EndReused bool
	// WaitForRestart continues with the container's next start when the container ends.
	WaitForRestart bool
}

// Session takes profiles of one container.
type Session struct {
	config *rest.Config
	client kubernetes.Interface
	target *target.Target
	plan   Plan
	report Reporter
	broken brokenConnections
}

// New returns a session that follows the plan. It sends no request before a method is called.
func New(config *rest.Config, client kubernetes.Interface, t *target.Target, plan Plan, report Reporter) *Session {
	s := &Session{config: config, client: client, target: t, plan: plan, report: report}
	s.broken.report = report
	return s
}

// DryRun returns the object that would be created, or nil if a kept profiler would be used. The API
// server checks the object, but creates nothing.
func (s *Session) DryRun(ctx context.Context) (map[string]any, error) {
	plan, err := s.choose(ctx, s.target, LaunchOptions(s.plan.Launch, s.restartable(s.plan.Requests)))
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	return plan.Object, nil
}

// Take launches a profiler and takes the profiles of the plan. Cancelling early stops sampling and
// keeps the profiles; before sampling has started it aborts. Cancelling ctx, the parent of early,
// aborts in any case. The error is that no profile was taken at all, or the cause of early. The
// outcome is nil if no profiler ran; its Finish must be called in any case.
func (s *Session) Take(ctx, early context.Context) (*Outcome, error) {
	outcome, err := s.takeWithRestarts(ctx, early)
	if err != nil {
		return nil, interrupted(early, err)
	}
	err = outcome.failure()
	switch {
	case errors.Is(err, errStopped):
		return outcome, interrupted(early, err)
	case err != nil:
		return outcome, fmt.Errorf("profiling %s: %w", s.target, err)
	}
	outcome.describe(s.target)
	return outcome, nil
}

// interrupted returns the cause of ctx's end instead of an error that came after it.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// step and note report a formatted text.
func (s *Session) step(format string, a ...any) { s.report.Step(fmt.Sprintf(format, a...)) }
func (s *Session) note(format string, a ...any) { s.report.Note(fmt.Sprintf(format, a...)) }
