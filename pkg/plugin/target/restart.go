package target

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// restartInterval is the time between two reads of a pod whose container should start again.
const restartInterval = 200 * time.Millisecond

// WaitForRestart waits until the target's container has been started again, and returns the new
// target. It fails when the container can no longer be started again.
func WaitForRestart(ctx context.Context, client kubernetes.Interface, t *Target) (restarted *Target, err error) {
	err = wait.PollUntilContextCancel(ctx, restartInterval, true, func(ctx context.Context) (bool, error) {
		pod, err := client.CoreV1().Pods(t.Namespace()).Get(ctx, t.Pod.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && (pod.UID != t.Pod.UID || pod.DeletionTimestamp != nil):
			return false, fmt.Errorf("pod %q was deleted", t.Pod.Name)
		case err == nil && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed):
			return false, fmt.Errorf("pod %q has ended: its containers will not be started again", t.Pod.Name)
		case err == nil:
			next := &Target{Pod: pod}
			if next.chooseContainer(t.Container) == nil && next.ContainerID != t.ContainerID {
				restarted = next
			}
		}
		return restarted != nil, nil
	})
	return restarted, err
}
