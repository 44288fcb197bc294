package launch

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestCheckNode(t *testing.T) {
	ready := func(status corev1.ConditionStatus, reason string) func(*corev1.Node) {
		return func(n *corev1.Node) {
			n.Status.Conditions = []corev1.NodeCondition{
				{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse},
				{
					Type: corev1.NodeReady, Status: status, Reason: reason,
					LastTransitionTime: metav1.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
				},
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*corev1.Node)
		want   string
	}{
		"ready": {ready(corev1.ConditionTrue, "KubeletReady"), ""},
		"does not answer": {ready(corev1.ConditionUnknown, "NodeStatusUnknown"),
			`shop/web-0/app: node "node-1" is not ready (NodeStatusUnknown): it starts no containers until it is ready again; ` +
				"`kubectl describe node node-1` shows why it has not been since 2026-01-02T03:04:05Z"},
		"not ready": {ready(corev1.ConditionFalse, "KubeletNotReady"), `is not ready (KubeletNotReady)`},
		"virtual by label": {func(n *corev1.Node) { n.Labels = map[string]string{"type": "virtual-kubelet"} },
			`node "node-1" is a virtual node`},
		"virtual by taint": {func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "virtual-kubelet.io/provider"}} },
			`node "node-1" is a virtual node`},
		"simulated": {func(n *corev1.Node) { n.Annotations = map[string]string{"kwok.x-k8s.io/node": "fake"} },
			`is a simulated node`},
		"Windows by label": {func(n *corev1.Node) { n.Labels = map[string]string{"kubernetes.io/os": "windows"} },
			`node "node-1" runs Windows`},
		"Windows by status": {func(n *corev1.Node) { n.Status.NodeInfo.OperatingSystem = "windows" },
			`node "node-1" runs Windows`},
		"another computer": {func(n *corev1.Node) { n.Status.NodeInfo.Architecture = "s390x" },
			`has the architecture s390x`},
		"gone": {func(n *corev1.Node) { n.Name = "node-2" }, `node "node-1" does not exist any more`},
	} {
		t.Run(name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}
			c.change(node)
			err := CheckNode(t.Context(), fake.NewClientset(node), web())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A user who may not get nodes can profile nevertheless.
func TestCheckNodeWithoutPermission(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("get", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, statusError(403, "forbidden")
	})
	if err := CheckNode(t.Context(), client, web()); err != nil {
		t.Error(err)
	}
}
