package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/access"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// ephemeral launches the profiler as an ephemeral container of the target's pod (KEP-277). It shares
// the PID namespace of the target's container.
type ephemeral struct {
	client    kubernetes.Interface
	target    *target.Target
	options   Options
	container *corev1.EphemeralContainer
	kept      string // name of the container of a kept profiler that can be reused, or ""
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
	return &corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name:            name,
			Image:           o.Image,
			ImagePullPolicy: o.PullPolicy,
			Command:         []string{Program},
			Args:            arguments(t, o, now, nil),
			Stdin:           true, // for attach; stays open when a client detaches, so that the next one can attach
			SecurityContext: securityContext(o, t.Pod.Spec.SecurityContext),
			// The end of the log becomes the message in the container's status.
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		},
		TargetContainerName: t.Container,
	}
}

// keptContainer returns the name of a running container with a kept profiler of the target, or "".
func keptContainer(t *target.Target, o Options, now time.Time) string {
	for _, c := range t.Pod.Spec.EphemeralContainers {
		if c.Image != o.Image || !reusable(c.Args, t, o, now) || !sufficient(c.SecurityContext, o) {
			continue
		}
		if s := target.ContainerStatus(t.Pod, c.Name); s != nil && s.State.Running != nil {
			return c.Name
		}
	}
	return ""
}

func (e *ephemeral) DryRun(ctx context.Context) (map[string]any, error) {
	namespace := e.target.Namespace()
	if reason := Unsuitable(e.target.Pod, e.options); reason != "" {
		e.kept = ""
		return nil, newRefusal(Ephemeral, reason)
	}
	if e.kept != "" {
		e.transfers, _ = permittedTransfers(ctx, e.client, e.options, namespace)
		if len(e.transfers) > 0 && !onlyLogs(e.transfers) {
			return nil, nil
		}
		e.kept = ""
	}
	var missing []access.Permission
	var wg sync.WaitGroup
	wg.Go(func() { e.transfers, missing = permittedTransfers(ctx, e.client, e.options, namespace) })
	object, err := e.patch(ctx, metav1.DryRunAll)
	wg.Wait()
	patch := access.Permission{Verb: "patch", Resource: "pods", Subresource: "ephemeralcontainers", Namespace: namespace}
	if err := dryRunError(ctx, e.client, Ephemeral, patch, err); err != nil {
		return nil, err
	}
	if len(e.transfers) == 0 {
		return nil, missingPermissions(Ephemeral, missing...)
	}
	if onlyLogs(e.transfers) {
		e.container.Args = arguments(e.target, e.options, time.Now(), e.transfers)
		return e.object()
	}
	return object, nil
}

func (e *ephemeral) Transfers() []stream.Transfer { return e.transfers }

// Unsuitable returns the reason why the profiler cannot run as an ephemeral container of a pod, or "".
func Unsuitable(pod *corev1.Pod, o Options) string {
	if _, static := pod.Annotations[corev1.MirrorPodAnnotationKey]; static {
		return fmt.Sprintf("pod %q is a static pod, which cannot have ephemeral containers", pod.Name)
	}
	if pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers && !o.MemoryOnly {
		return fmt.Sprintf("pod %q has a user namespace (hostUsers: false), in which the kernel refuses BPF", pod.Name)
	}
	return ""
}

// object returns the container in the form that is sent to the API server.
func (e *ephemeral) object() (map[string]any, error) {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(e.container)
	delete(object, "resources") // refused for ephemeral containers, and the type has no omitempty
	return object, err
}

// patch adds the container to the pod and returns the object that was sent.
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

func (e *ephemeral) Launch(ctx context.Context) (*Profiler, error) {
	profiler := &Profiler{
		Ref:  stream.Ref{Namespace: e.target.Namespace(), Pod: e.target.Pod.Name, Container: e.kept},
		Mode: Ephemeral, Reused: e.kept != "", client: e.client, target: e.target,
	}
	if profiler.Reused {
		return profiler, nil
	}
	ctx, cancel := withTimeout(ctx, e.options)
	defer cancel()
	if _, err := e.patch(ctx); err != nil {
		return nil, fmt.Errorf("pod %q: adding the ephemeral container: %w", e.target.Pod.Name, err)
	}
	profiler.Container = e.container.Name
	if err := waitForContainer(ctx, e.client, profiler.Ref, e.options, e.target.Node(), onlyLogs(e.transfers)); err != nil {
		return nil, err
	}
	return profiler, nil
}
