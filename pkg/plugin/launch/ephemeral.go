package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// ephemeral launches the profiler as an ephemeral container of the target's pod (KEP-277).
type ephemeral struct {
	client    kubernetes.Interface
	target    *target.Target
	options   Options
	container *corev1.EphemeralContainer
	kept      string // name of a container that runs a kept profiler
	transfers []stream.Transfer
}

func newEphemeral(client kubernetes.Interface, t *target.Target, o Options) *ephemeral {
	now := time.Now()
	e := &ephemeral{client: client, target: t, options: o, container: ephemeralContainer(newName(), t, o, now)}
	if !o.Fresh {
		e.kept = keptContainer(t, o, now)
	}
	return e
}

func ephemeralContainer(name string, t *target.Target, o Options, now time.Time) *corev1.EphemeralContainer {
	c := &corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name:            name,
			Image:           o.Image,
			ImagePullPolicy: o.PullPolicy,
			Command:         []string{Program},
			Args:            arguments(t, o, now, nil),
			Stdin:           true, // for attach; it is never closed, so that one can attach again
			SecurityContext: securityContext(o, t.Pod.Spec.SecurityContext),
			// The last line on stderr becomes the reason in the container's status.
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		},
		TargetContainerName: t.Container,
	}
	return c
}

// keptContainer names the running container of a kept profiler of the target.
func keptContainer(t *target.Target, o Options, now time.Time) string {
	for _, c := range t.Pod.Spec.EphemeralContainers {
		if c.Image != o.Image || !reusable(c.Args, t, o, now) || !o.suffices(c.SecurityContext) {
			continue
		}
		for _, s := range t.Pod.Status.EphemeralContainerStatuses {
			if s.Name == c.Name && s.State.Running != nil {
				return c.Name
			}
		}
	}
	return ""
}

func (e *ephemeral) DryRun(ctx context.Context) (map[string]any, error) {
	if e.kept != "" && Unsuited(e.target.Pod, e.options) == "" {
		e.transfers, _ = e.options.transfers(ctx, e.client, e.target.Namespace())
		if len(e.transfers) > 0 && !unasked(e.transfers) {
			return nil, nil
		}
	}
	e.kept = ""
	if reason := Unsuited(e.target.Pod, e.options); reason != "" {
		return nil, &Refusal{Mode: Ephemeral, Reason: reason, Advice: adviceEphemeral}
	}
	var missing []permission
	var wg sync.WaitGroup
	wg.Go(func() { e.transfers, missing = e.options.transfers(ctx, e.client, e.target.Namespace()) })
	object, err := e.patch(ctx, metav1.DryRunAll)
	wg.Wait()
	mine := permission{"patch", "", "pods", "ephemeralcontainers", e.target.Namespace()}
	if err := refusal(ctx, e.client, Ephemeral, mine, err); err != nil {
		return nil, err
	}
	if len(e.transfers) == 0 {
		return nil, lacks(Ephemeral, missing...)
	}
	if unasked(e.transfers) {
		e.container.Args = arguments(e.target, e.options, time.Now(), e.transfers)
		return e.object()
	}
	return object, nil
}

func (e *ephemeral) Transfers() []stream.Transfer { return e.transfers }

// Unsuited says why a pod is known to have no use for an ephemeral container.
func Unsuited(pod *corev1.Pod, o Options) string {
	if _, static := pod.Annotations[corev1.MirrorPodAnnotationKey]; static {
		return fmt.Sprintf("pod %q is a static pod, which takes no ephemeral containers", pod.Name)
	}
	if pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers && !o.MemoryOnly {
		return fmt.Sprintf("pod %q has a user namespace (hostUsers: false), in which the kernel refuses BPF", pod.Name)
	}
	return ""
}

// object is the container as it is sent.
func (e *ephemeral) object() (map[string]any, error) {
	object, err := toMap(e.container)
	delete(object, "resources") // cannot be set here; the type has it without omitempty
	return object, err
}

// patch adds the container to the pod.
func (e *ephemeral) patch(ctx context.Context, dryRun ...string) (map[string]any, error) {
	object, err := e.object()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"ephemeralContainers": []any{object}}})
	if err != nil {
		return nil, err
	}
	_, err = e.client.CoreV1().Pods(e.target.Namespace()).Patch(ctx, e.target.Pod.Name,
		types.StrategicMergePatchType, body, metav1.PatchOptions{DryRun: dryRun}, "ephemeralcontainers")
	return object, err
}

func (e *ephemeral) Launch(ctx context.Context) (*Session, error) {
	session := &Session{
		Ref:  stream.Ref{Namespace: e.target.Namespace(), Pod: e.target.Pod.Name, Container: e.kept},
		Mode: Ephemeral, Reused: e.kept != "", client: e.client, target: e.target,
	}
	if session.Reused {
		return session, nil
	}
	ctx, cancel := withTimeout(ctx, e.options)
	defer cancel()
	if _, err := e.patch(ctx); err != nil {
		return nil, fmt.Errorf("pod %q: adding the ephemeral container: %w", e.target.Pod.Name, err)
	}
	session.Container = e.container.Name
	if err := waitForContainer(ctx, e.client, session.Ref, e.options, e.target.Node(), unasked(e.transfers)); err != nil {
		return nil, err
	}
	return session, nil
}
