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

// diagnosis is the JSON output of doctor.
type diagnosis struct {
	Verdict string
	Checks  []struct{ Check, Verdict, Detail, Remedy string }
}

// examine runs doctor and checks its exit code and the verdicts of the named checks.
func examine(t *testing.T, code int, want map[string]string, args ...string) diagnosis {
	t.Helper()
	r := plugin(t, append([]string{"doctor", "-o", "json"}, args...)...)
	if r.code != code {
		t.Errorf("want exit code %d: %v", code, r)
	}
	var d diagnosis
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil {
		t.Fatalf("%v: %v", err, r)
	}
	for name, verdict := range want {
		found := false
		for _, c := range d.Checks {
			if c.Check == name {
				found = true
				if c.Verdict != verdict {
					t.Errorf("%s: %s, want %s: %+v", name, c.Verdict, verdict, c)
				}
				if (verdict == "warning") != (c.Remedy != "") && verdict != "failed" {
					t.Errorf("a warning has a remedy: %+v", c)
				}
			}
		}
		if !found {
			t.Errorf("no check %q: %v", name, r)
		}
	}
	return d
}

// doctor reports whether profiling would work, for users with all, some and no permissions.
func TestDoctor(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	t.Run("all checks are ok", func(t *testing.T) {
		examine(t, 0, map[string]string{
			"API server": "ok", "target": "ok", "permissions: ephemeral container": "ok", "permissions: Job": "ok", "transfer: exec": "ok",
			"transfer: attach": "ok", "transfer: logs": "ok", "admission: ephemeral container": "ok", "admission: Job": "ok",
			"PodSecurity": "ok", "pod": "ok", "ephemeral containers": "ok", "node": "ok", "image": "ok", "memory": "ok",
		}, "-n", ns, "web")
	})
	t.Run("no pod is named", func(t *testing.T) {
		examine(t, 0, map[string]string{"API server": "ok", "nodes": "ok", "admission: Job": "ok", "image": "ok"}, "-n", ns)
	})
	t.Run("there is no such pod", func(t *testing.T) {
		examine(t, 1, map[string]string{"API server": "ok", "target": "failed"}, "-n", ns, "nobody")
	})
	t.Run("a user with few permissions", func(t *testing.T) {
		user := userWith(t, ns, mayGetPods, allow("", "pods/attach", "get"), mayEphemeral)
		examine(t, 3, map[string]string{
			"permissions: ephemeral container": "ok", "permissions: Job": "warning", "transfer: exec": "warning", "transfer: attach": "ok",
			"transfer: logs": "warning", "admission: ephemeral container": "ok", "admission: Job": "warning", "PodSecurity": "unknown", "node": "unknown",
		}, "--kubeconfig", user, "web")
	})
	t.Run("a user who may only read pods", func(t *testing.T) {
		other := namespace(t, "")
		start(t, podOf(other, "web", shop()))
		examine(t, 1, map[string]string{
			"permissions: ephemeral container": "failed", "permissions: Job": "failed", "transfer: exec": "failed", "transfer: logs": "failed",
		}, "--kubeconfig", userWith(t, other, mayGetPods), "web")
	})
	t.Run("no API server", func(t *testing.T) {
		examine(t, 1, map[string]string{"API server": "failed"}, "--server", "https://127.0.0.1:1", "web")
	})
}

func TestDoctorInRestrictedNamespace(t *testing.T) {
	ns := namespace(t, "restricted")
	start(t, podOf(ns, "web", restricted(shop())))
	examine(t, 1, map[string]string{"admission: ephemeral container": "failed", "admission: Job": "failed", "PodSecurity": "warning"}, "-n", ns, "web")
	open := namespace(t, "privileged")
	examine(t, 3, map[string]string{
		"admission: ephemeral container": "warning", "admission: Job": "ok", "PodSecurity": "warning", "PodSecurity: --job-namespace": "ok",
	}, "-n", ns, "web", "--job-namespace", open)
}

// doctor reports properties of the pod and of its node that prevent profiling.
func TestDoctorReportsUnusualPods(t *testing.T) {
	ns := namespace(t, "")
	limited := podOf(ns, "limited", guaranteed(shop(), "500m", "256Mi"))
	start(t, limited)
	examine(t, 3, map[string]string{"memory": "unknown"}, "-n", ns, "limited") // there is no metrics API here
	profileOf(t, "-n", ns, "--ephemeral", "limited", "-d", "1s")
	examine(t, 3, map[string]string{"ephemeral containers": "ok"}, "-n", ns, "limited")

	// The status of a node without a kubelet can be set freely.
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "fargate-", Labels: map[string]string{"eks.amazonaws.com/compute-type": "fargate"}},
		Spec:       corev1.NodeSpec{Unschedulable: true},
	}
	node, err := client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.CoreV1().Nodes().Delete(context.Background(), node.Name, metav1.DeleteOptions{}) })
	status := []byte(`{"status": {"nodeInfo": {"operatingSystem": "linux", "architecture": "amd64", "kernelVersion": "5.10.230"}}}`)
	if _, err := client.CoreV1().Nodes().Patch(t.Context(), node.Name, types.MergePatchType, status, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	pod := podOf(ns, "far-away", container("app", "/spin"))
	pod.Spec.NodeName, pod.Spec.HostUsers, pod.Spec.HostNetwork = node.Name, new(false), false
	pod = create(t, pod)
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", ContainerID: fmt.Sprintf("containerd://%064d", 1), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	if _, err := client.CoreV1().Pods(ns).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	examine(t, 1, map[string]string{"node": "failed", "pod": "warning", "admission: ephemeral container": "warning"}, "-n", ns, "far-away")
}
