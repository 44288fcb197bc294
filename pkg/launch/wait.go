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
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/stream"
)

// withTimeout bounds the start of a profiler; poll reports the cause.
func withTimeout(ctx context.Context, o Options) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("not running after %v (--timeout)", o.Timeout))
}

// poll calls check until it is done or fails, at short intervals first: with the image on the node
// a container runs within half a second. It polls because a watch would need one permission more
// and brings an answer no sooner. When ctx ends the error adds what check saw last.
func poll(ctx context.Context, check func(context.Context) (done bool, seen string, err error)) error {
	begin := time.Now()
	for last := ""; ; {
		done, seen, err := check(ctx)
		switch {
		case done:
			return nil
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil:
			last = seen
		}
		interval := 50 * time.Millisecond
		if time.Since(begin) > 3*time.Second {
			interval = 300 * time.Millisecond
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), last)
		}
	}
}

// waitForContainer waits until a container of a pod runs.
func waitForContainer(ctx context.Context, client kubernetes.Interface, ref stream.Ref, node string) error {
	err := poll(ctx, func(ctx context.Context) (bool, string, error) {
		pod, err := client.CoreV1().Pods(ref.Namespace).Get(ctx, ref.Pod, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, "", fmt.Errorf("pod %q was deleted", ref.Pod)
		}
		if err != nil {
			return false, "", err
		}
		return containerState(pod, ref.Container, node)
	})
	if err != nil {
		return fmt.Errorf("profiler in container %q of pod %q: %w", ref.Container, ref.Pod, err)
	}
	return nil
}

// containerState judges a container that should soon run.
func containerState(pod *corev1.Pod, name, node string) (done bool, seen string, err error) {
	statuses := slices.Concat(pod.Status.EphemeralContainerStatuses, pod.Status.ContainerStatuses)
	i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == name })
	if i < 0 {
		// A pod that its node rejects never gets container statuses: OutOfpods, NodeAffinity …
		// (kubelet, pkg/kubelet/lifecycle/predicate.go).
		if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
			return false, "", fmt.Errorf("the pod has ended: %s %s", pod.Status.Reason, oneLine(pod.Status.Message))
		}
		return false, fmt.Sprintf("node %q has not taken notice of it", node), nil
	}
	switch state := statuses[i].State; {
	case state.Running != nil:
		return true, "", nil
	case state.Terminated != nil:
		t := state.Terminated
		return false, "", fmt.Errorf("ended with exit code %d (%s): %s", t.ExitCode, t.Reason, oneLine(t.Message))
	case state.Waiting != nil:
		w := state.Waiting
		text := strings.TrimSpace(w.Reason + " " + oneLine(w.Message))
		switch w.Reason {
		case "", "ContainerCreating", "PodInitializing":
			return false, text, nil
		}
		return false, "", fmt.Errorf("cannot start: %s", text)
	}
	return false, "no state yet", nil
}
