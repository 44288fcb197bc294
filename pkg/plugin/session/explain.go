package session

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// explain finds out why profiles are missing or partial. It makes partial profiles of the slices of
// those that are missing, and adds reasons to the comments.
func (s *Session) explain(ctx, early context.Context, p *profiler, results []*Result) {
	why := sync.OnceValue(func() string { return p.running.Why(ctx) })
	for _, r := range results {
		if r.Err != nil && ctx.Err() == nil && !refused(r.Err) {
			r.salvage(why)
		}
		if r.Profile != nil && early.Err() == nil {
			r.explainStop(why)
		}
	}
	noteTargetEnd(ctx, p, results)
}

// salvage makes a partial profile of the slices of one that broke off. why returns the reason, or "".
func (r *Result) salvage(why func() string) {
	reason := ""
	if !errors.Is(r.Err, errStopped) {
		reason = why()
	}
	if reason != "" {
		r.Err = fmt.Errorf("%s: %w", reason, r.Err)
	} else {
		reason = r.Err.Error()
	}
	switch partial, err := r.partialProfile(reason); {
	case partial != nil:
		r.Profile, r.Err = partial, nil
	case err != nil:
		r.Err = fmt.Errorf("%w; no partial profile remains: %v", r.Err, err) // %v: not why the profile is missing
	}
}

// explainStop adds the reason to a profile whose sampling was not stopped by the user but, for
// example, by the end of the profiler's pod. why returns the reason, or "".
func (r *Result) explainStop(why func() string) {
	meta.Partial.Update(r.Profile, func(partial string) string {
		if !meta.IsStoppedEarly(partial) {
			return partial
		}
		if reason := why(); reason != "" {
			return reason + ": " + partial
		}
		return partial
	})
}

// noteTargetEnd adds a comment to the profiles if the target ended during sampling. A Job outlives
// its target, and so does an ephemeral container in a pod whose containers share their process
// namespace, or use the node's.
func noteTargetEnd(ctx context.Context, p *profiler, results []*Result) {
	ended := sync.OnceValues(func() (string, error) { return p.running.TargetEnded(ctx) })
	for _, r := range results {
		if r.Profile == nil || r.Request.Instant() || meta.Partial.Get(r.Profile) != "" {
			continue
		}
		if why, err := ended(); err == nil && why != "" {
			key := meta.Partial
			if r.Request.Restarts {
				key = meta.Restart
			}
			key.Add(r.Profile, why)
		}
	}
}
