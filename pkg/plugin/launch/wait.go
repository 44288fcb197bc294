package launch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

// withTimeout bounds the start of a profiler. The cause becomes part of poll's error.
func withTimeout(ctx context.Context, o Options) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("not running after %v (--timeout)", o.Timeout))
}

const (
	// probeTime is how long Options.Ready is called. A container that does not answer by then is not
	// merely reported late by the kubelet.
	probeTime     = 2 * time.Second
	probeInterval = 30 * time.Millisecond
	// eventInterval is the time between two reads of a container's events.
	eventInterval = time.Second
)

// errAnswered ends the wait for a container whose profiler answers.
var errAnswered = errors.New("the profiler answers")

// waitForContainer waits until a container runs. The kubelet looks at its containers once a second
// and then reports their state (kubelet, pkg/kubelet/pleg), so Options.Ready is called meanwhile. The
// status of an ephemeral container that cannot start says so only after 10 to 15 s, when the kubelet
// tries again; its events say so at once. With onlyLogs the container may have ended: its log has the
// profiles.
func waitForContainer(ctx context.Context, client kubernetes.Interface, ref stream.Ref, o Options, node string, onlyLogs bool) error {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	probing, stopProbing := context.WithTimeout(waiting, probeTime)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopProbing()
	if o.Ready != nil {
		wg.Go(func() {
			_ = wait.PollUntilContextCancel(probing, probeInterval, true, func(context.Context) (bool, error) {
				// An attempt may outlive the probing: the connection that it opens is used.
				attempt, cancel := context.WithTimeout(ctx, probeTime)
				defer cancel()
				if !o.Ready(attempt, ref) {
					return false, nil
				}
				stop(errAnswered)
				return true, nil
			})
		})
	}
	eventsRead := time.Now()
	err := poll(waiting, func(ctx context.Context) (bool, string, error) {
		pod, err := client.CoreV1().Pods(ref.Namespace).Get(ctx, ref.Pod, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, "", fmt.Errorf("pod %q was deleted", ref.Pod)
		}
		if err != nil {
			return false, "", err
		}
		runs, state, err := containerState(pod, ref.Container, node)
		if onlyLogs && errors.Is(err, errEnded) {
			return true, "", nil
		}
		if !runs && err == nil && time.Since(eventsRead) > eventInterval {
			eventsRead = time.Now()
			if why := startFailure(warnings(ctx, client, ref.Namespace, pod.UID), ref.Container); why != "" {
				err = fmt.Errorf("cannot start: %s", why)
			}
		}
		return runs, state, err
	})
	if err != nil && context.Cause(waiting) != errAnswered {
		return fmt.Errorf("profiler in container %q of pod %q: %w", ref.Container, ref.Pod, err)
	}
	return nil
}

// poll calls check until it reports done or fails. When ctx ends the error is its cause with the last
// state that check returned. A watch would need one more permission and would be no faster. The
// interval is short at first, because a container whose image is on the node runs within half a second.
func poll(ctx context.Context, check func(context.Context) (done bool, state string, err error)) error {
	begin, last := time.Now(), ""
	interval := wait.DelayFunc(func() time.Duration {
		if time.Since(begin) > 3*time.Second {
			return 300 * time.Millisecond
		}
		return 50 * time.Millisecond
	})
	err := interval.Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		done, state, err := check(ctx)
		if err == nil {
			last = state
		}
		if ctx.Err() != nil && !done {
			return false, nil // Until returns after this
		}
		return done, err
	})
	if err != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %s", context.Cause(ctx), last)
	}
	return err
}
