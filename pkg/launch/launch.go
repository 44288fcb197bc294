// Package launch brings the profiler to the target's node: as an ephemeral container of the
// target's pod or as a Job. Its entry point is Choose, which asks the cluster, without creating
// anything, which Launcher it admits. It must not know what the profiler does once it runs.
package launch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/target"
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

	// Capabilities asks for a container that is not privileged but has what CPU profiles take.
	Capabilities bool

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
	// Fallback says why it is a Job although an ephemeral container is preferred.
	Fallback string
}

// Choose tries the launchers that the mode allows by a dry run. With Auto the Job is the fallback
// for a refused ephemeral container. The error tells every refusal.
func Choose(ctx context.Context, client kubernetes.Interface, t *target.Target, mode Mode, o Options) (*Plan, error) {
	if mode == Job {
		job := newJob(client, t, o)
		object, err := job.DryRun(ctx)
		return &Plan{Launcher: job, Object: object}, err
	}
	container := newEphemeral(client, t, o)
	object, err := container.DryRun(ctx)
	var refusal *Refusal
	if mode == Ephemeral || !errors.As(err, &refusal) {
		return &Plan{Launcher: container, Object: object}, err
	}
	job := newJob(client, t, o)
	object, err = job.DryRun(ctx)
	var second *Refusal
	if errors.As(err, &second) {
		return nil, &NoWay{Target: t, Refusals: []*Refusal{refusal, second}}
	}
	return &Plan{Launcher: job, Object: object, Fallback: refusal.Reason}, err
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
	return b.String()
}
