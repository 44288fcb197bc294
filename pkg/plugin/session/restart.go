package session

import (
	"context"
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/merge"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// minRestartTime is the shortest remaining time for which another profiler is started.
const minRestartTime = time.Second

// takeWithRestarts takes the profiles and, if the plan says so, continues with the next starts of
// the target. A Job's profiler does that by itself for types that can; an ephemeral container ends
// with the target, so each start takes a new one.
func (s *Session) takeWithRestarts(ctx, early context.Context) (*Outcome, error) {
	last, begin, err := s.take(ctx, early, s.target, s.plan.Launch, s.plan.Requests)
	if err != nil || !s.plan.WaitForRestart || !slices.ContainsFunc(last.Results, func(r *Result) bool { return !r.Request.Restarts }) {
		return last, err
	}
	all, current := last.Results, s.target
	for end := begin.Add(s.plan.Duration); early.Err() == nil; {
		open := slices.DeleteFunc(slices.Clone(all), (*Result).settled)
		why, err := last.profiler.running.TargetEnded(ctx)
		if len(open) == 0 || why == "" || err != nil || time.Until(end) < minRestartTime {
			break
		}
		s.step("%s: waiting for its next start", why)
		if current, err = target.WaitForRestart(early, s.client, current); err != nil {
			break // the profiles say why they are partial
		}
		var requests []api.Request
		for _, r := range open {
			request := r.Request
			if !request.Instant() {
				request.Duration = max(time.Until(end), minRestartTime)
			}
			requests = append(requests, request)
		}
		next, _, err := s.take(ctx, early, current, last.profiler.options, requests)
		if err != nil {
			break // as above
		}
		_ = last.Finish() // an ephemeral container leaves nothing to delete
		for i, r := range open {
			r.resume(next.Results[i], why)
		}
		last = next
	}
	last.Results = all
	return last, nil
}

// settled reports whether the target's next start can add nothing.
func (r *Result) settled() bool {
	return refused(r.Err) || r.Profile != nil && meta.Partial.Get(r.Profile) == ""
}

// resume adds the profile of the target's next start. why is how the target ended before.
func (r *Result) resume(next *Result, why string) {
	before := r.Profile
	if before == nil {
		r.Profile, r.Err = next.Profile, next.Err
		return
	}
	meta.Partial.Remove(before)
	meta.Restart.Add(before, why)
	if next.Err != nil {
		meta.Partial.Add(before, next.Err.Error())
		return
	}
	r.Profile, r.Err = merge.Profiles(before, next.Profile)
}
