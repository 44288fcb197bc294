// Package launch starts the profiler on the target's node, as an ephemeral container of the target's
// pod or as a Job. Its entry point is Choose, which returns the Launcher that the cluster admits and
// creates nothing. It must not depend on what the profiler does once it runs.
package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// Launcher is one way to start the profiler.
type Launcher interface {
	// DryRun asks the API server whether it admits what Launch creates, and returns that object, or
	// nil if Launch will use a kept profiler. If the cluster refuses, the error is a *Refusal.
	DryRun(ctx context.Context) (map[string]any, error)
	// Transfers returns the transfers that the user may use, the best first. It is valid after DryRun.
	Transfers() []stream.Transfer
	// Launch starts the profiler and waits until its container runs, for Options.Timeout at most. If
	// it fails it deletes what it has created, except for an ephemeral container, which Kubernetes
	// never removes from a pod.
	Launch(ctx context.Context) (*Profiler, error)
}

// Plan is the launcher that the cluster admits.
type Plan struct {
	Launcher
	Object map[string]any // what Launch creates; nil if it will use a kept profiler
	// Fallback describes the launcher and why it was chosen, if it is not the preferred one.
	Fallback string
}

// Choose tries the launchers that the mode allows by dry runs, the preferred one first, and returns
// the first that the cluster admits. If all are refused the error is a *Refusal or a *RefusedError.
func Choose(ctx context.Context, client kubernetes.Interface, t *target.Target, mode Mode, o Options) (*Plan, error) {
	var refusals []*Refusal
	for _, c := range candidates(client, t, mode, o) {
		object, err := c.DryRun(ctx)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			if !slices.ContainsFunc(refusals, func(r *Refusal) bool { return *r == *refusal }) {
				refusals = append(refusals, refusal)
			}
			continue
		}
		plan := &Plan{Launcher: c.Launcher, Object: object}
		if len(refusals) > 0 {
			plan.Fallback = fmt.Sprintf("%s because the %s is refused: %s", c.description, refusals[0].Mode, refusals[0].Reason)
		}
		return plan, err
	}
	if mode != Auto && len(refusals) == 1 {
		return nil, refusals[0]
	}
	return nil, &RefusedError{Target: t, Refusals: refusals}
}

// candidate is a launcher to try.
type candidate struct {
	Launcher
	description string // for Plan.Fallback
}

// candidates returns the launchers that the mode allows, the preferred one first. A cluster that
// refuses a privileged container may admit one that has only the capability to read memory.
func candidates(client kubernetes.Interface, t *target.Target, mode Mode, o Options) (all []candidate) {
	modes := []Mode{mode}
	if mode == Auto {
		modes = []Mode{Ephemeral, Job}
	}
	for _, m := range modes {
		all = append(all, newCandidate(client, t, m, o, ""))
		if o.MemoryOnly && !o.Capabilities {
			limited := o
			limited.Capabilities = true
			all = append(all, newCandidate(client, t, m, limited, " with few capabilities"))
		}
	}
	return all
}

func newCandidate(client kubernetes.Interface, t *target.Target, mode Mode, o Options, suffix string) candidate {
	if mode == Job {
		return candidate{newJob(client, t, o), "a Job" + suffix}
	}
	return candidate{newEphemeral(client, t, o), "an ephemeral container" + suffix}
}

// RefusedError is the error of Choose if several launchers were refused.
type RefusedError struct {
	Target   *target.Target
	Refusals []*Refusal // in the order in which they were tried
}

func (e *RefusedError) Error() string {
	first, last := e.Refusals[0], e.Refusals[len(e.Refusals)-1]
	var b strings.Builder
	fmt.Fprintf(&b, "the cluster allows no way to profile %s", e.Target)
	for _, r := range e.Refusals {
		fmt.Fprintf(&b, "\n  %s: %s", r.Mode, r.Reason)
	}
	if last.Advice != "" {
		fmt.Fprintf(&b, "\n  %s", last.Advice)
	}
	if first.Mode != last.Mode { // every mode was refused
		b.WriteString("\n  if the program serves net/http/pprof, use --from-endpoint, which needs only pods/portforward")
	}
	return b.String()
}

// Unwrap returns the refusal of the preferred launcher.
func (e *RefusedError) Unwrap() error { return e.Refusals[0] }
