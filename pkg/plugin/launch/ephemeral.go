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
	record    keptProfiler // of the profiler that Launch starts
	transfers []stream.Transfer
}

func newEphemeral(client kubernetes.Interface, t *target.Target, o Options) *ephemeral {
	now := time.Now()
	return &ephemeral{
		client: client, target: t, options: o,
		container: ephemeralContainer(newName(), t, o, now), record: newKept(Ephemeral, t, o, now),
	}
}

func ephemeralContainer(name string, t *target.Target, o Options, now time.Time) *corev1.EphemeralContainer {
	return &corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name:            name,
			Image:           o.Image,
			ImagePullPolicy: o.PullPolicy,
			Command:         []string{Program},
			Args:            arguments(Ephemeral, t, o, now, nil),
			Stdin:           true, // for attach; stays open when a client detaches, so that the next one can attach
			SecurityContext: securityContext(o, t.Pod.Spec.SecurityContext),
			// The end of the log becomes the message in the container's status.
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		},
		TargetContainerName: t.Container,
	}
}

func (e *ephemeral) DryRun(ctx context.Context) (map[string]any, error) {
	namespace := e.target.Namespace()
	if reason := Unsuitable(e.target.Pod, e.options); reason != "" {
		return nil, newRefusal(Ephemeral, reason)
	}
	var missing []access.Permission
	var wg sync.WaitGroup
	wg.Go(func() { e.transfers, missing = permittedTransfers(ctx, e.client, e.options, namespace) })
	admit := func() error { return e.admit(ctx) }
	err := admit()
	wg.Wait()
	container := (*corev1.Container)(&e.container.EphemeralContainerCommon)
	e.transfers, err = admitStdin(Ephemeral, container, e.transfers, err, admit)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, missingPermissions(Ephemeral, missing...)
	}
	if onlyLogs(e.transfers) {
		e.container.Args = arguments(Ephemeral, e.target, e.options, time.Now(), e.transfers)
	}
	return e.object()
}

// admit sends the container in a dry run. If the cluster does not admit it as the profiler needs it,
// the error is a *Refusal.
func (e *ephemeral) admit(ctx context.Context) error {
	pod, err := e.patch(ctx, metav1.DryRunAll)
	patch := access.Permission{Verb: "patch", Resource: "pods", Subresource: "ephemeralcontainers", Namespace: e.target.Namespace()}
	if refused := dryRunError(ctx, e.client, Ephemeral, patch, err); refused != nil || err != nil {
		return refused // nil if the answer to the dry run is unknown
	}
	if reason := Unsuitable(pod, e.options); reason != "" { // it may have changed since it was found
		return newRefusal(Ephemeral, reason)
	}
	if c := ephemeralChange(e.container, pod, e.options); c != nil {
		return c.refusal(Ephemeral)
	}
	e.container.Stdin = findEphemeral(pod, e.container.Name).Stdin
	return nil
}

func (e *ephemeral) Transfers() []stream.Transfer { return e.transfers }

// Unsuitable returns the reason why the profiler cannot run as an ephemeral container of a pod, or "".
func Unsuitable(pod *corev1.Pod, o Options) string {
	if pod.DeletionTimestamp != nil {
		return fmt.Sprintf("pod %q is being deleted, so its node starts no more containers in it", pod.Name)
	}
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

// patch adds the container to the pod and returns the pod as the cluster admitted it.
func (e *ephemeral) patch(ctx context.Context, dryRun ...string) (*corev1.Pod, error) {
	object, err := e.object()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"ephemeralContainers": []any{object}}})
	if err != nil {
		return nil, err
	}
	return e.client.CoreV1().Pods(e.target.Namespace()).Patch(ctx, e.target.Pod.Name,
		types.StrategicMergePatchType, body, metav1.PatchOptions{DryRun: dryRun}, "ephemeralcontainers")
}

func (e *ephemeral) Launch(ctx context.Context) (*Profiler, error) {
	ctx, cancel := withTimeout(ctx, e.options)
	defer cancel()
	pod, err := e.patch(ctx)
	if err != nil {
		return nil, fmt.Errorf("pod %q: adding the ephemeral container: %w", e.target.Pod.Name, err)
	}
	if c := ephemeralChange(e.container, pod, e.options); c != nil {
		return nil, c.refusal(Ephemeral)
	}
	ref := stream.Ref{Namespace: e.target.Namespace(), Pod: e.target.Pod.Name, Container: e.container.Name}
	if err := waitForContainer(ctx, e.client, ref, e.options, e.target.Node(), onlyLogs(e.transfers)); err != nil {
		return nil, err
	}
	return newProfiler(e.client, e.target, ref, e.record, false), nil
}
