package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

// withTimeout bounds the start of a profiler; poll reports the cause.
func withTimeout(ctx context.Context, o Options) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("not running after %v (--timeout)", o.Timeout))
}

// poll calls check until it is done or fails, at short intervals first: with the image on the node
// a container runs within half a second. It polls because a watch would need one permission more
// and brings an answer no sooner. A closed answered ends it as well. When ctx ends the error adds what
// check saw last.
func poll(ctx context.Context, answered <-chan struct{}, check func(context.Context) (done bool, seen string, err error)) error {
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
		case <-answered:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), last)
		}
	}
}

// probing is how long ready is asked: after that it is not the kubelet's report that is late.
const probing = 2 * time.Second

// waitForContainer waits until a container of a pod runs. The kubelet looks at its containers once
// a second (kubelet, pkg/kubelet/pleg) and reports then, so ready is asked meanwhile. That an
// ephemeral container cannot start its status tells after 10 to 15 s, for that is when the kubelet
// tries again; its events tell at once. One that cannot be asked may have ended: what it has to say is in its log.
func waitForContainer(ctx context.Context, client kubernetes.Interface, ref stream.Ref, o Options, node string, unasked bool) error {
	answered := make(chan struct{})
	probe, stop := context.WithTimeout(ctx, probing)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	if o.Ready != nil {
		wg.Go(func() {
			for probe.Err() == nil {
				// An attempt under way may end, in time: its connection is worth having.
				attempt, cancel := context.WithTimeout(ctx, probing)
				ok := o.Ready(attempt, ref)
				cancel()
				if ok {
					close(answered)
					return
				}
				sleep(probe, 30*time.Millisecond)
			}
		})
	}
	asked := time.Now()
	err := poll(ctx, answered, func(ctx context.Context) (bool, string, error) {
		pod, err := client.CoreV1().Pods(ref.Namespace).Get(ctx, ref.Pod, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, "", fmt.Errorf("pod %q was deleted", ref.Pod)
		}
		if err != nil {
			return false, "", err
		}
		done, seen, err := containerState(pod, ref.Container, node)
		if unasked && errors.Is(err, errEnded) {
			return true, "", nil
		}
		if !done && err == nil && time.Since(asked) > time.Second {
			asked = time.Now()
			if why := containerWarning(warnings(ctx, client, ref.Namespace, pod.UID), ref.Container); why != "" {
				err = fmt.Errorf("cannot start: %s", why)
			}
		}
		return done, seen, err
	})
	if err != nil {
		return fmt.Errorf("profiler in container %q of pod %q: %w", ref.Container, ref.Pod, err)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

var errEnded = errors.New("ended")

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
		switch {
		case t.Reason == "OOMKilled":
			return false, "", errors.New("was killed, for the pod's memory limit was reached (OOMKilled): use --job, whose memory is its own")
		case t.ExitCode == 128+int32(syscall.SIGKILL): // its message is the last that it logged, and tells nothing
			return false, "", fmt.Errorf("was killed (exit code %d, %s)", t.ExitCode, t.Reason)
		}
		return false, "", fmt.Errorf("%w with exit code %d (%s): %s", errEnded, t.ExitCode, t.Reason, oneLine(t.Message))
	case state.Waiting != nil:
		w := state.Waiting
		text := w.Reason
		if w.Message != "" {
			text += ": " + oneLine(w.Message)
		}
		switch w.Reason {
		case "", "ContainerCreating", "PodInitializing":
			return false, text, nil
		}
		return false, "", fmt.Errorf("cannot start: %s", text)
	}
	return false, "no state yet", nil
}
