package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/target"
)

// restartComment begins the comment of a profile that has a gap where its target ended and started again.
const restartComment = "restart: "

// worthwhile is the shortest time that is worth another profiler.
const worthwhile = time.Second

// takeWithRestarts takes a profile that goes on with the next start of its target. A Job's profiler sees to that by
// itself; one in an ephemeral container ends with the target, so that each start takes another.
func (o *Options) takeWithRestarts(ctx, early context.Context, ui *progress, config *rest.Config, client kubernetes.Interface, t *target.Target) (*taken, error) {
	begin := time.Now()
	all, err := o.take(ctx, early, ui, config, client, t)
	if !o.restarts || all == nil || o.request.Restarts {
		return all, err
	}
	for end := begin.Add(o.request.Duration); early.Err() == nil; {
		why, endedErr := all.session.TargetEnded(ctx)
		left := time.Until(end)
		if err == nil && partial(all.profile) == "" || why == "" || endedErr != nil || left < worthwhile {
			break
		}
		ui.step("%s: waiting for its next start", why)
		if t, endedErr = target.Next(early, client, t); endedErr != nil {
			break // the profile says why it is partial
		}
		o.setDuration(max(time.Until(end), worthwhile))
		next, nextErr := o.take(ctx, early, ui, config, client, t)
		if next == nil {
			break // as above
		}
		_ = all.finish() // there is nothing to take away of an ephemeral container
		before := all.profile
		all = next
		if err = nextErr; before == nil {
			continue
		}
		before.Comments = withoutPartial(before.Comments, why)
		if err != nil {
			all.profile, err = before, nil
			before.Comments = append(before.Comments, api.PartialComment+nextErr.Error())
		} else if all.profile, err = api.Join(before, all.profile); err != nil {
			return all, err
		}
	}
	return all, err
}

// withoutPartial replaces the comment that a profile is partial by one that says why there is a gap in it.
func withoutPartial(comments []string, why string) []string {
	rest := slices.DeleteFunc(slices.Clone(comments), func(c string) bool { return strings.HasPrefix(c, api.PartialComment) })
	return append(rest, restartComment+why)
}

func (o *Options) setDuration(d time.Duration) {
	o.request.Duration, o.launch.Duration = d, d
	o.launch.Request = o.request.String()
}
