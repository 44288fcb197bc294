// Package launch brings the profiler to the target's node: as an ephemeral container of the
// target's pod or as a Job. Its entry point is Choose, which asks the cluster, without creating
// anything, which Launcher it admits. It must not know what the profiler does once it runs.
package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// Mode is a way to launch.
type Mode string

const (
	Auto      Mode = ""
	Ephemeral Mode = "ephemeral container"
	Job       Mode = "Job"
)

// Options of both launchers.
type Options struct {
	Image      string
	PullPolicy corev1.PullPolicy // empty: what the API server makes of the image's tag
	Duration   time.Duration     // of the profile
	Keep       time.Duration     // how long the profiler waits for another profile; 0: not at all
	Timeout    time.Duration     // longest wait for the profiler to run, pulling its image included

	// Capabilities asks for a container that is not privileged but has what the profiles take.
	Capabilities bool
	// MemoryOnly tells that the profiles take no BPF: the target's memory is read.
	MemoryOnly bool

	// Fresh asks for a profiler of its own where there is a kept one.
	Fresh bool

	// Transfer is the only way back that may be used; empty: the best one that is permitted.
	Transfer stream.Transfer
	// Requests are what the profiler is told to do at its start where it cannot be asked, as its arguments --to-log.
	Requests []string

	// Ready tries whether the profiler in a container answers already; nil if there is no way to
	// tell. Launch does not call it any more when it has returned.
	Ready func(ctx context.Context, ref stream.Ref) bool

	JobNamespace    string // empty: the target's
	ImagePullSecret string // for the Job's pod; an ephemeral container has the secrets of its pod
	ServiceAccount  string // of the Job's pod; empty: the namespace's default
}

// Launcher is one way to launch.
type Launcher interface {
	// DryRun asks the API server whether it would admit what Launch creates, and returns that, or
	// nil if Launch would use a kept profiler. A *Refusal says no.
	DryRun(ctx context.Context) (map[string]any, error)
	// Transfers are the ways back that the user may use, the best first. DryRun finds them.
	Transfers() []stream.Transfer
	// Launch starts the profiler and waits until its container runs, at most Options.Timeout.
	// What it created is gone again when it fails, but for an ephemeral container's entry in the
	// pod, which Kubernetes never removes.
	Launch(ctx context.Context) (*Session, error)
}

// Session is a running profiler. Close it unless it is to be kept.
type Session struct {
	stream.Ref
	Mode   Mode
	Reused bool // it was kept by an earlier run
	client kubernetes.Interface
	target *target.Target
	close  func(ctx context.Context) error
}

// Close deletes the Job. An ephemeral container cannot be deleted: its profiler ends by itself.
func (s *Session) Close(ctx context.Context) error {
	if s.close == nil {
		return nil
	}
	return s.close(ctx)
}

// Plan is the launcher that the cluster admits.
type Plan struct {
	Launcher
	Object map[string]any // what Launch would create; nil if a kept profiler is at hand
	// Fallback tells what it is, and why it is not what is preferred; empty if it is.
	Fallback string
}

// attempt is a launcher to try.
type attempt struct {
	Launcher
	what string // for Plan.Fallback
}

// attempts lists those that the mode allows, the best first. What is refused as a privileged container may be admitted
// with the capabilities that suffice to read memory.
func attempts(client kubernetes.Interface, t *target.Target, mode Mode, o Options) (all []attempt) {
	modes, variants := []Mode{mode}, []Options{o}
	if mode == Auto {
		modes = []Mode{Ephemeral, Job}
	}
	if o.MemoryOnly && !o.Capabilities {
		o.Capabilities = true
		variants = append(variants, o)
	}
	for _, m := range modes {
		for i, v := range variants {
			few := ""
			if i > 0 {
				few = " with few capabilities"
			}
			if m == Job {
				all = append(all, attempt{newJob(client, t, v), "a Job" + few})
			} else {
				all = append(all, attempt{newEphemeral(client, t, v), "an ephemeral container" + few})
			}
		}
	}
	return all
}

// Choose tries the launchers that the mode allows by a dry run. With Auto the Job is the fallback
// for a refused ephemeral container. The error tells every refusal.
func Choose(ctx context.Context, client kubernetes.Interface, t *target.Target, mode Mode, o Options) (*Plan, error) {
	var refusals []*Refusal
	for _, a := range attempts(client, t, mode, o) {
		object, err := a.DryRun(ctx)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			if !slices.ContainsFunc(refusals, func(r *Refusal) bool { return *r == *refusal }) {
				refusals = append(refusals, refusal)
			}
			continue
		}
		plan := &Plan{Launcher: a.Launcher, Object: object}
		if len(refusals) > 0 {
			plan.Fallback = fmt.Sprintf("%s, for the %s is refused: %s", a.what, refusals[0].Mode, refusals[0].Reason)
		}
		return plan, err
	}
	if mode != Auto && len(refusals) == 1 {
		return nil, refusals[0]
	}
	return nil, &NoWay{Target: t, Refusals: refusals}
}

// NoWay is the error of Choose when every launcher was refused.
type NoWay struct {
	Target   *target.Target
	Refusals []*Refusal
}

func (e *NoWay) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the cluster allows no way to profile %s", e.Target)
	for _, r := range e.Refusals {
		fmt.Fprintf(&b, "\n  %s: %s", r.Mode, r.Reason)
	}
	if advice := e.Refusals[len(e.Refusals)-1].Advice; advice != "" {
		fmt.Fprintf(&b, "\n  %s", advice)
	}
	if e.Refusals[0].Mode != e.Refusals[len(e.Refusals)-1].Mode { // nothing else is left
		b.WriteString("\n  if the program serves net/http/pprof, --from-endpoint takes the profile from there and needs pods/portforward only")
	}
	return b.String()
}

// Unwrap gives the first refusal, that of the way that is preferred.
func (e *NoWay) Unwrap() error { return e.Refusals[0] }
