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

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// CheckNode returns an error if no profiler can be started on the target's node. It returns nil if the
// node cannot be read, which takes a permission of its own: then the start shows it.
func CheckNode(ctx context.Context, client kubernetes.Interface, t *target.Target) error {
	node, err := client.CoreV1().Nodes().Get(ctx, t.Node(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s: node %q does not exist any more: profile a pod on another node", t, t.Node())
	}
	if err != nil {
		return nil
	}
	if reason, remedy := NodeProblem(node); reason != "" {
		return fmt.Errorf("%s: node %q %s: %s", t, node.Name, reason, remedy)
	}
	return nil
}

// NodeProblem returns the reason why no profiler can be started on a node, to be read after the node's
// name, and what to do about it. Both are "" if there is none. The reason is the same for all nodes of
// a kind; the remedy may contain the node's name.
func NodeProblem(node *corev1.Node) (reason, remedy string) {
	info := node.Status.NodeInfo
	switch kind := virtualKind(node); {
	case info.OperatingSystem == "windows", node.Labels[corev1.LabelOSStable] == "windows":
		return "runs Windows", "profile a pod on a Linux node: only Linux containers can be profiled"
	case kind != "":
		return "is a " + kind + " node, whose pods do not run on its kernel", "run the pod on a regular node"
	case info.Architecture != "" && info.Architecture != "amd64" && info.Architecture != "arm64":
		return "has the architecture " + info.Architecture,
			"run the pod on another node: the profiler runs on amd64 and arm64 only"
	}
	for _, c := range node.Status.Conditions {
		if c.Type != corev1.NodeReady || c.Status == corev1.ConditionTrue {
			continue
		}
		// The kubelet starts no containers while it reports an error (kubelet, syncLoop in
		// pkg/kubelet/kubelet.go).
		remedy := "it starts no containers until it is ready again; `kubectl describe node " + node.Name + "` shows why"
		if !c.LastTransitionTime.IsZero() {
			remedy += " it has not been since " + c.LastTransitionTime.UTC().Format(time.RFC3339)
		}
		return fmt.Sprintf("is not ready (%s)", oneLine(c.Reason)), remedy
	}
	return "", ""
}

// virtualKind returns the kind of a virtual node, or "" for a regular node.
func virtualKind(node *corev1.Node) string {
	labels := node.Labels
	isVirtualKubelet := func(t corev1.Taint) bool { return t.Key == "virtual-kubelet.io/provider" }
	switch {
	case labels["eks.amazonaws.com/compute-type"] == "fargate":
		return "Fargate"
	case labels["type"] == "virtual-kubelet", slices.ContainsFunc(node.Spec.Taints, isVirtualKubelet),
		labels["kubernetes.io/role"] == "agent" && strings.HasPrefix(node.Name, "virtual-node-"):
		return "virtual"
	case node.Annotations["kwok.x-k8s.io/node"] != "":
		return "simulated"
	}
	return ""
}
