//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A node on which nothing can be started is named at once to users who may get nodes.
func TestNodesThatStartNothing(t *testing.T) {
	ns := namespace(t, "")
	unknown := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown"}
	virtual := corev1.Taint{Key: "virtual-kubelet.io/provider", Effect: corev1.TaintEffectNoSchedule}
	windows := map[string]string{corev1.LabelOSStable: "windows"}
	for name, c := range map[string]struct {
		node corev1.Node
		text string
	}{
		"lost":    {corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{unknown}}}, "is not ready"},
		"virtual": {corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{virtual}}}, "is a virtual node"},
		"windows": {corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: windows}}, "runs Windows"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := podOnNode(t, ns, createNode(t, c.node), name)
			for _, flags := range [][]string{nil, {"--job"}} {
				refuseBeforeStart(t, ns, pod.Name, flags, fmt.Sprintf("node %q %s", pod.Spec.NodeName, c.text))
			}
			examine(t, 1, map[string]string{"node": "failed"}, "-n", ns, pod.Name)
		})
	}
}

// createNode creates a node without a kubelet, whose status can be set freely.
func createNode(t *testing.T, node corev1.Node) string {
	t.Helper()
	node.GenerateName, node.Spec.Unschedulable = "e2e-", true
	created, err := client.CoreV1().Nodes().Create(t.Context(), &node, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.CoreV1().Nodes().Delete(context.Background(), created.Name, metav1.DeleteOptions{}) })
	status, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": node.Status.Conditions}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().Nodes().Patch(
		t.Context(), created.Name, types.StrategicMergePatchType, status, metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatal(err)
	}
	return created.Name
}

// podOnNode creates a pod that says that it runs on a node.
func podOnNode(t *testing.T, ns, node, name string) *corev1.Pod {
	t.Helper()
	pod := podOf(ns, name, container("app", "/spin"))
	pod.Spec.NodeName = node
	pod = create(t, pod)
	t.Cleanup(func() { client.CoreV1().Pods(ns).Delete(context.Background(), name, atOnce) })
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", ContainerID: fmt.Sprintf("containerd://%064d", 1),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	pod, err := client.CoreV1().Pods(ns).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}
