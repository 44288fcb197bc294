package doctor

import (
	"context"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// admission sends the ephemeral container, the Job and the Job's pod in dry runs. Without a target it
// sends only the Job and its pod.
func (e *examination) admission(ctx context.Context) []Check {
	if e.target == nil {
		placeholder := &target.Target{
			Pod:         &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace()}},
			Container:   "any",
			ContainerID: strings.Repeat("0", 64),
		}
		return []Check{e.dryRun(ctx, placeholder, launch.Job)}
	}
	return failIfAllWarn([]Check{
		e.dryRun(ctx, e.target, launch.Ephemeral),
		e.dryRun(ctx, e.target, launch.Job),
	})
}

func (e *examination) dryRun(ctx context.Context, t *target.Target, mode launch.Mode) Check {
	c := Check{Name: "admission: " + string(mode), Verdict: OK, Detail: "a dry run was admitted"}
	options := e.options.Launch
	options.Fresh = true // with a kept profiler there would be no dry run
	plan, err := launch.Choose(ctx, e.client, t, mode, options)
	var refusal *launch.Refusal
	switch {
	case errors.As(err, &refusal):
		c.Verdict, c.Detail, c.Remedy = Warning, refusal.Reason, refusal.Advice
	case err != nil:
		c.Verdict, c.Detail = Unknown, err.Error()
	case plan.Fallback != "":
		c.Detail += ", for " + plan.Fallback
	}
	return c
}
