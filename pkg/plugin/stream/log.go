package stream

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// OpenLog opens the container's log. It begins with the oldest line that the node has, and is followed
// until the container or ctx ends.
func OpenLog(ctx context.Context, config *rest.Config, ref Ref) (io.ReadCloser, error) {
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	log, err := core.Pods(ref.Namespace).GetLogs(ref.Pod, &corev1.PodLogOptions{Container: ref.Container, Follow: true}).Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", ref, err)
	}
	return log, nil
}
