package launch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// statusDelay is how long to wait for the kubelet to report what has happened to a container.
const statusDelay = 3 * time.Second

// Why looks for the reason why a profiler has stopped answering: the target or the profiler has
// ended. It is empty if the cluster knows of none after a few seconds. A profiler in an ephemeral container ends with
// its target, and where memory is short a moment before it: so its own end is the reason only if the target goes on.
func (s *Session) Why(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, statusDelay)
	defer cancel()
	var why string
	_ = poll(ctx, nil, func(ctx context.Context) (bool, string, error) {
		now, err := s.Ended(ctx)
		if now == "" {
			return false, "", err
		}
		why = now
		if s.Mode != Ephemeral {
			return true, "", nil
		}
		target, err := s.TargetEnded(ctx)
		if target != "" {
			why = target
		}
		return target != "", "", err
	})
	return why
}

// Ended looks once whether the profiler can never answer again, and says why; "" if it may.
func (s *Session) Ended(ctx context.Context) (why string, err error) {
	if s.Mode == Ephemeral { // it ends with its target; a Job's has the profile even then
		if why, err := s.TargetEnded(ctx); why != "" || err != nil {
			return why, err
		}
	}
	pod, err := s.client.CoreV1().Pods(s.Namespace).Get(ctx, s.Pod, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Sprintf("the profiler's pod %q was deleted", s.Pod), nil
	}
	if err != nil {
		return "", err
	}
	if _, _, err := containerState(pod, s.Container, s.target.Node()); err != nil {
		return "the profiler " + err.Error(), nil
	}
	return "", nil
}

// TargetEnded tells how the target has ended or why its pod is gone; "" if it runs as before.
func (s *Session) TargetEnded(ctx context.Context) (why string, err error) {
	pod, err := s.client.CoreV1().Pods(s.target.Namespace()).Get(ctx, s.target.Pod.Name, metav1.GetOptions{})
	if why := goneOrNot(s.target.Pod, pod, err); why != "" {
		return why, nil
	}
	if err != nil {
		return "", err
	}
	return targetEnded(pod, s.target.Container, s.target.ContainerID), nil
}

func goneOrNot(was, is *corev1.Pod, err error) string {
	switch {
	case apierrors.IsNotFound(err), err == nil && is.UID != was.UID:
		return fmt.Sprintf("pod %q was deleted", was.Name)
	case err == nil && is.DeletionTimestamp != nil:
		return fmt.Sprintf("pod %q is being deleted", was.Name)
	}
	return ""
}

// targetEnded says how the target ended, if it did, perhaps to be restarted since.
func targetEnded(pod *corev1.Pod, container, id string) string {
	for _, s := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
		if s.Name != container {
			continue
		}
		for _, state := range []corev1.ContainerState{s.State, s.LastTerminationState} {
			if t := state.Terminated; t != nil && strings.HasSuffix(t.ContainerID, "://"+id) {
				return fmt.Sprintf("container %q has ended with exit code %d (%s)", container, t.ExitCode, t.Reason)
			}
		}
		if s.ContainerID != "" && !strings.HasSuffix(s.ContainerID, "://"+id) {
			return fmt.Sprintf("container %q was restarted", container)
		}
	}
	return ""
}
