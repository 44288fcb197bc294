package target

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// nextPoll is how often to look for a container's next start.
const nextPoll = 200 * time.Millisecond

// Next waits until a target's container has been started again, and gives it. It fails when it never will be.
func Next(ctx context.Context, client kubernetes.Interface, t *Target) (*Target, error) {
	for {
		pod, err := client.CoreV1().Pods(t.Namespace()).Get(ctx, t.Pod.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && (pod.UID != t.Pod.UID || pod.DeletionTimestamp != nil):
			return nil, fmt.Errorf("pod %q was deleted", t.Pod.Name)
		case err == nil && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed):
			return nil, fmt.Errorf("pod %q has ended: its containers are not started again", t.Pod.Name)
		case err == nil:
			next := &Target{Pod: pod}
			if next.chooseContainer(t.Container) == nil && next.ContainerID != t.ContainerID {
				return next, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(nextPoll):
		}
	}
}
