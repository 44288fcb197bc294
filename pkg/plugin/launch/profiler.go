package launch

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// Profiler is a running profiler. Close must be called unless the profiler is kept.
type Profiler struct {
	stream.Ref
	Mode   Mode
	Reused bool         // an earlier run kept it
	kept   keptProfiler // what Remember records
	client kubernetes.Interface
	target *target.Target
}

func newProfiler(client kubernetes.Interface, t *target.Target, ref stream.Ref, kept keptProfiler, reused bool) *Profiler {
	return &Profiler{Ref: ref, Mode: kept.Mode, Reused: reused, kept: kept, client: client, target: t}
}

// Close deletes the Job. An ephemeral container cannot be deleted: its profiler exits by itself.
func (p *Profiler) Close(ctx context.Context) error {
	if p.Mode != Job {
		return nil
	}
	return deleteJob(ctx, p.client, p.Namespace, p.kept.Job, p.kept.JobUID)
}

// reportTime is how long Why waits for the kubelet to report the end of a container.
const reportTime = 3 * time.Second

// Why returns the reason why the profiler no longer answers: the target or the profiler has ended. It
// returns "" if the cluster reports neither within reportTime. A profiler in an ephemeral container
// ends with its target, and if memory runs out a moment before it: its own end is the reason only if
// the target keeps running.
func (p *Profiler) Why(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	var why string
	_ = poll(ctx, func(ctx context.Context) (done bool, state string, err error) {
		ended, err := p.Ended(ctx)
		if ended == "" {
			return false, "", err
		}
		why = ended
		if p.Mode != Ephemeral {
			return true, "", nil
		}
		targetEnded, err := p.TargetEnded(ctx)
		if targetEnded != "" {
			why = targetEnded
		}
		return targetEnded != "", "", err
	})
	return why
}

// Ended returns the reason why the profiler can no longer answer, or "" if it can. A profiler in an
// ephemeral container ends with its target; a Job's still has the profile then.
func (p *Profiler) Ended(ctx context.Context) (why string, err error) {
	if p.Mode == Ephemeral {
		if why, err := p.TargetEnded(ctx); why != "" || err != nil {
			return why, err
		}
	}
	pod, err := p.client.CoreV1().Pods(p.Namespace).Get(ctx, p.Pod, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Sprintf("the profiler's pod %q was deleted", p.Pod), nil
	}
	if err != nil {
		return "", err
	}
	if _, _, err := containerState(pod, p.Container, p.target.Node()); err != nil {
		return "the profiler " + err.Error(), nil
	}
	return "", nil
}

// TargetEnded returns how the target's container ended or why its pod is gone, or "" if the container
// has run without interruption. When a pod is being deleted, its node ends the profiler in an ephemeral
// container at once; the target runs on for its grace period, and a Job's profiler with it.
func (p *Profiler) TargetEnded(ctx context.Context) (why string, err error) {
	was := p.target.Pod
	pod, err := p.client.CoreV1().Pods(was.Namespace).Get(ctx, was.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), err == nil && pod.UID != was.UID:
		return fmt.Sprintf("pod %q was deleted", was.Name), nil
	case err != nil:
		return "", err
	case pod.DeletionTimestamp != nil && p.Mode == Ephemeral:
		return fmt.Sprintf("pod %q is being deleted", was.Name), nil
	}
	return containerEnd(pod, p.target.Container, p.target.ContainerID), nil
}

// containerEnd returns how the container with the ID ended, or "" if it runs. It may have been
// restarted since.
func containerEnd(pod *corev1.Pod, name, id string) string {
	s := target.ContainerStatus(pod, name)
	if s == nil {
		return ""
	}
	for _, state := range []corev1.ContainerState{s.State, s.LastTerminationState} {
		if t := state.Terminated; t != nil && strings.HasSuffix(t.ContainerID, "://"+id) {
			return fmt.Sprintf("container %q has ended with exit code %d (%s)", name, t.ExitCode, t.Reason)
		}
	}
	if s.ContainerID != "" && !strings.HasSuffix(s.ContainerID, "://"+id) {
		return fmt.Sprintf("container %q was restarted", name)
	}
	return ""
}
