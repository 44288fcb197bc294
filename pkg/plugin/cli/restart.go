package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/merge"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// restartComment begins the comment of a profile that has a gap where its target ended and started again.
const restartComment = "restart: "

// worthwhile is the shortest time that is worth another profiler.
const worthwhile = time.Second

// takeWithRestarts takes profiles that go on with the next start of their target. A Job's profiler sees to that by
// itself where the type can; one in an ephemeral container ends with the target, so that each start takes another.
func (o *Options) takeWithRestarts(ctx, early context.Context, ui *progress, config *rest.Config, client kubernetes.Interface, t *target.Target) (*taken, error) {
	all, err := o.take(ctx, early, ui, config, client, t)
	if !o.restarts || all == nil || !slices.ContainsFunc(all.parts, func(p *part) bool { return !p.request.Restarts }) {
		return all, err
	}
	for end := all.begin.Add(o.request.Duration); early.Err() == nil; {
		open := slices.DeleteFunc(slices.Clone(all.parts), (*part).whole)
		why, endedErr := all.session.TargetEnded(ctx)
		left := time.Until(end)
		if len(open) == 0 || why == "" || endedErr != nil || left < worthwhile {
			break
		}
		ui.step("%s: waiting for its next start", why)
		if t, endedErr = target.Next(early, client, t); endedErr != nil {
			break // the profiles say why they are partial
		}
		o.requests = nil
		for _, p := range open {
			r := p.request
			if !p.instant() {
				r.Duration = max(time.Until(end), worthwhile)
			}
			o.requests = append(o.requests, r)
		}
		o.tellLauncher()
		next, _ := o.take(ctx, early, ui, config, client, t)
		if next == nil {
			break // as above
		}
		_ = all.finish() // there is nothing to take away of an ephemeral container
		all.session, all.finish = next.session, next.finish
		for i, p := range open {
			p.goOn(next.parts[i], why)
		}
	}
	return all, nil
}

// whole tells that a next start of the target can add nothing.
func (p *part) whole() bool { return refused(p.err) || p.profile != nil && partial(p.profile) == "" }

// goOn adds the profile of the target's next start; why is how it ended before.
func (p *part) goOn(next *part, why string) {
	before := p.profile
	if before == nil {
		p.profile, p.err = next.profile, next.err
		return
	}
	before.Comments = withoutPartial(before.Comments, why)
	if next.err != nil {
		before.Comments = append(before.Comments, api.PartialComment+next.err.Error())
		return
	}
	p.profile, p.err = merge.Profiles(before, next.profile)
}

// withoutPartial replaces the comment that a profile is partial by one that says why there is a gap in it.
func withoutPartial(comments []string, why string) []string {
	rest := slices.DeleteFunc(slices.Clone(comments), func(c string) bool { return strings.HasPrefix(c, api.PartialComment) })
	return append(rest, restartComment+why)
}
