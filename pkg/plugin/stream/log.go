package stream

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// Log reads the container's log from its beginning, as far as its node still has it, and follows it until the
// container or ctx ends.
func Log(ctx context.Context, config *rest.Config, ref Ref) (io.ReadCloser, error) {
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
