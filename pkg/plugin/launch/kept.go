package launch

import (
	"cmp"
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// findKept returns the kept profiler of a target in a namespace. It returns nil if there is none that
// runs and can take the profiles that the options are for. An ephemeral container is found in the
// target's pod as it was resolved, without another request.
func findKept(ctx context.Context, client kubernetes.Interface, mode Mode, namespace string, t *target.Target, o Options) *keptProfiler {
	if o.Fresh {
		return nil
	}
	k, err := readKept(mode, namespace, t.ContainerID)
	if err != nil || !k.suits(mode, namespace, t, o, time.Now()) {
		return nil
	}
	pod := t.Pod
	if mode == Job {
		if pod, err = client.CoreV1().Pods(namespace).Get(ctx, k.Pod, metav1.GetOptions{}); err != nil {
			return nil
		}
	}
	if !k.runsIn(pod) {
		return nil
	}
	return k
}

// keptLauncher is the Launcher of a kept profiler.
type keptLauncher struct {
	client    kubernetes.Interface
	target    *target.Target
	kept      *keptProfiler
	transfers []stream.Transfer
}

// newKeptLauncher returns the launcher of the target's kept profiler of one of the modes, or nil if
// there is none or it can be sent no requests. Permissions are not checked, which would take longer
// than trying.
func newKeptLauncher(ctx context.Context, client kubernetes.Interface, t *target.Target, modes []Mode, o Options) *keptLauncher {
	transfers := []stream.Transfer{stream.Exec, stream.Attach}
	switch o.Transfer {
	case "":
	case stream.Logs:
		return nil
	default:
		transfers = []stream.Transfer{o.Transfer}
	}
	for _, mode := range modes {
		namespace := t.Namespace()
		if mode == Job {
			namespace = cmp.Or(o.JobNamespace, namespace)
		}
		if k := findKept(ctx, client, mode, namespace, t, o); k != nil {
			return &keptLauncher{client, t, k, transfers}
		}
	}
	return nil
}

// DryRun returns no object, because Launch creates none.
func (l *keptLauncher) DryRun(context.Context) (map[string]any, error) { return nil, nil }

func (l *keptLauncher) Transfers() []stream.Transfer { return l.transfers }

func (l *keptLauncher) Launch(context.Context) (*Profiler, error) {
	return newProfiler(l.client, l.target, l.kept.ref(), *l.kept, true), nil
}

// Remember records on the user's machine that this profiler is kept, so that later runs can use it.
// It waits until the kubelet has reported the container, for reportTime at most.
func (p *Profiler) Remember(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reportTime, fmt.Errorf("after %v", reportTime))
	defer cancel()
	k := p.kept
	k.Namespace, k.Pod, k.Container = p.Namespace, p.Pod, p.Container
	err := poll(ctx, func(ctx context.Context) (done bool, state string, err error) {
		pod, err := p.client.CoreV1().Pods(p.Namespace).Get(ctx, p.Pod, metav1.GetOptions{})
		if err != nil {
			return false, "", err
		}
		if s := target.ContainerStatus(pod, p.Container); s != nil {
			k.ContainerID = s.ContainerID
		}
		k.PodUID = pod.UID
		return k.ContainerID != "", "the node has not reported the container's ID", nil
	})
	if err != nil {
		return err
	}
	return writeKept(&k)
}
