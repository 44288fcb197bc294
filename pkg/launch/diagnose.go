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
// ended. It is empty if the cluster knows of none after a few seconds.
func (s *Session) Why(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, statusDelay)
	defer cancel()
	var why string
	_ = poll(ctx, nil, func(ctx context.Context) (bool, string, error) {
		pod, err := s.client.CoreV1().Pods(s.target.Namespace()).Get(ctx, s.target.Pod.Name, metav1.GetOptions{})
		if why = goneOrNot(s.target.Pod, pod, err); why != "" {
			return true, "", nil
		}
		if err != nil {
			return false, "", err
		}
		if why = targetEnded(pod, s.target.Container, s.target.ContainerID); why != "" {
			return true, "", nil
		}
		if s.Mode == Job {
			if pod, err = s.client.CoreV1().Pods(s.Namespace).Get(ctx, s.Pod, metav1.GetOptions{}); err != nil {
				return false, "", err
			}
		}
		_, _, err = containerState(pod, s.Container, s.target.Node())
		if err != nil {
			why = "the profiler " + err.Error()
		}
		return why != "", "", nil
	})
	return why
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
