//go:build linux

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// While an init container runs and the pod is pending, the sidecar that the annotation names and the
// init container can be profiled. The error for the main container names both.
func TestPodThatInitializes(t *testing.T) {
	ns := namespace(t, "")
	pod := podOf(ns, "web", container("app", "/spin"))
	pod.Annotations = map[string]string{"kubectl.kubernetes.io/default-container": "mesh"}
	mesh, migrate := container("mesh", "/spin"), container("migrate", "/spin")
	mesh.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	pod.Spec.InitContainers = []corev1.Container{mesh, migrate}
	create(t, pod)
	eventually(t, time.Minute, "the init container to run", func() (bool, string) {
		s := getPod(t, ns, "web").Status.InitContainerStatuses
		return len(s) == 2 && s[1].State.Running != nil, fmt.Sprintf("%+v", s)
	})
	for _, args := range [][]string{nil, {"-c", "migrate"}, {"-c", "migrate", "--job"}} {
		p, _ := profileOf(t, append([]string{"-n", ns, "web", "-d", "1s"}, args...)...)
		expectFunctions(t, p, []string{"main.turnWheel"}, nil)
	}
	refuse(t, []string{"-n", ns, "web", "-c", "app", "-d", "1s"}, "has not started yet (PodInitializing)", "mesh, migrate")
}
