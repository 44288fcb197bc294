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
	// DryRun asks the API server whether it admits what Launch creates, and returns that object. If the
	// cluster refuses, the error is a *Refusal.
	DryRun(ctx context.Context) (map[string]any, error)
	// Transfers returns the transfers that the user may use, the best first. It is valid after DryRun.
	Transfers() []stream.Transfer
	// Launch starts the profiler and waits until its container runs, for Options.Timeout at most. If
	// it fails it deletes what it has created, except for an ephemeral container, which Kubernetes
	// never removes from a pod.
	Launch(ctx context.Context) (*Profiler, error)
}

// Plan is the launcher of a kept profiler, or the one that the cluster admits.
type Plan struct {
	Launcher
	Object   map[string]any // what Launch creates; nil if it uses a kept profiler
	Fallback string         // describes the launcher and why it was chosen, if it is not the preferred one
	Slow     string         // why Launch would take long, and what helps; empty if it would not
}

// Choose returns the launcher of a profiler that an earlier run kept. If there is none that suits, it
// tries the launchers that the mode allows by dry runs, the preferred one first, and returns the first
// that the cluster admits. If all are refused the error is or wraps a *Refusal. A Job is preferred to
// an ephemeral container in a pod with too little CPU.
func Choose(ctx context.Context, client kubernetes.Interface, t *target.Target, mode Mode, o Options) (*Plan, error) {
	slow := ""
	if mode != Job {
		slow = TooLittleCPU(t.Pod)
	}
	modes := []Mode{mode}
	switch {
	case mode == Auto && slow != "":
		modes = []Mode{Job, Ephemeral}
	case mode == Auto:
		modes = []Mode{Ephemeral, Job}
	}
	if kept := newKeptLauncher(ctx, client, t, modes, o); kept != nil {
		return &Plan{Launcher: kept}, nil
	}
	var refusals []*Refusal
	for _, c := range candidates(client, t, modes, o) {
		object, err := c.DryRun(ctx)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			if !slices.ContainsFunc(refusals, func(r *Refusal) bool { return *r == *refusal }) {
				refusals = append(refusals, refusal)
			}
			continue
		}
		plan := &Plan{Launcher: c.Launcher, Object: object, Fallback: c.fallback(refusals, slow)}
		if slow != "" && c.mode == Ephemeral {
			plan.Slow = slow
			if mode == Ephemeral {
				plan.Slow += "; " + adviceEphemeral
			}
		}
		return plan, err
	}
	if mode != Auto && len(refusals) == 1 {
		if mode == Job && Unsuitable(t.Pod, o) == "" {
			refusals[0].Advice += "; " + adviceNotJob
		}
		return nil, refusals[0]
	}
	return nil, &refusedError{target: t, refusals: refusals}
}

// candidate is a launcher to try.
type candidate struct {
	Launcher
	mode        Mode
	description string // for Plan.Fallback
}

// fallback returns Plan.Fallback. slow is the reason why an ephemeral container would start very
// slowly, or "".
func (c candidate) fallback(refusals []*Refusal, slow string) string {
	switch {
	case len(refusals) > 0:
		return fmt.Sprintf("%s because the %s is refused: %s", c.description, refusals[0].Mode, refusals[0].Reason)
	case c.mode == Job && slow != "":
		return c.description + " because " + slow
	}
	return ""
}

// candidates returns the launchers of the modes in their order. A cluster that refuses a privileged
// container may admit one that has only the capability to read memory.
func candidates(client kubernetes.Interface, t *target.Target, modes []Mode, o Options) (all []candidate) {
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
		return candidate{newJob(client, t, o), Job, "a Job" + suffix}
	}
	return candidate{newEphemeral(client, t, o), Ephemeral, "an ephemeral container" + suffix}
}

// refusedError is the error of Choose if several launchers were refused.
type refusedError struct {
	target   *target.Target
	refusals []*Refusal // in the order in which they were tried
}

func (e *refusedError) Error() string {
	first, last := e.refusals[0], e.refusals[len(e.refusals)-1]
	var b strings.Builder
	fmt.Fprintf(&b, "the cluster allows no way to profile %s", e.target)
	for _, r := range e.refusals {
		fmt.Fprintf(&b, "\n  %s: %s", r.Mode, r.Reason)
	}
	if advice := e.advice(); advice != "" {
		fmt.Fprintf(&b, "\n  %s", advice)
	}
	if first.Mode != last.Mode { // every mode was refused
		b.WriteString("\n  if the program serves net/http/pprof, use --from-endpoint, which needs only pods/portforward")
	}
	return b.String()
}

// advice returns the advice of the last refusal of a Job, because that for an ephemeral container is
// to try a Job. If no Job was tried it returns the advice of the last refusal.
func (e *refusedError) advice() string {
	text := e.refusals[len(e.refusals)-1].Advice
	for _, r := range e.refusals {
		if r.Mode == Job {
			text = r.Advice
		}
	}
	return text
}

// Unwrap returns the refusal of the preferred launcher.
func (e *refusedError) Unwrap() error { return e.refusals[0] }
