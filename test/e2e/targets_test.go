//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// In pods of many kinds, the profile has the target's functions and none of its neighbours',
// through an ephemeral container and through a Job.
func TestTargets(t *testing.T) {
	spinner := container("spinner", "/spin")
	onlyShop := []string{"main.turnWheel"}
	onlySpin := []string{"main.priceCart", "main.checkout"}
	cases := map[string]struct {
		pod      func(ns string) *corev1.Pod
		args     []string
		wanted   []string
		unwanted []string
	}{
		"PID 1 is an init": {
			pod: func(ns string) *corev1.Pod {
				return podOf(ns, "web", container("shop", "/initd", "/shop"))
			},
			wanted: shopFunctions,
		},
		"shared process namespace": {
			pod: func(ns string) *corev1.Pod {
				p := podOf(ns, "web", shop(), spinner)
				p.Spec.ShareProcessNamespace = new(true)
				return p
			},
			args: []string{"-c", "shop"}, wanted: shopFunctions, unwanted: onlyShop,
		},
		"host PID namespace": {
			pod: func(ns string) *corev1.Pod {
				p := podOf(ns, "web", shop(), spinner)
				p.Spec.HostPID = true
				return p
			},
			args: []string{"-c", "spinner"}, wanted: []string{"main.turnWheel"}, unwanted: onlySpin,
		},
		"two containers, the first is the default": {
			pod:    func(ns string) *corev1.Pod { return podOf(ns, "web", shop(), spinner) },
			wanted: shopFunctions, unwanted: onlyShop,
		},
		"two containers, the annotation names the second": {
			pod: func(ns string) *corev1.Pod {
				p := podOf(ns, "web", shop(), spinner)
				p.Annotations = map[string]string{"kubectl.kubernetes.io/default-container": "spinner"}
				return p
			},
			wanted: []string{"main.turnWheel"}, unwanted: onlySpin,
		},
		"non-root at pod level": {
			pod: func(ns string) *corev1.Pod {
				p := podOf(ns, "web", shop())
				p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(1000))}
				return p
			},
			wanted: shopFunctions,
		},
		"sidecar": {
			pod: func(ns string) *corev1.Pod {
				p := podOf(ns, "web", shop())
				side := container("side", "/spin")
				side.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
				p.Spec.InitContainers = []corev1.Container{side}
				return p
			},
			args: []string{"-c", "side"}, wanted: []string{"main.turnWheel"}, unwanted: onlySpin,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, c.pod(ns))
			for _, mode := range []string{"--ephemeral", "--job"} {
				t.Run(mode, func(t *testing.T) {
					p, _ := profileOf(t, append(c.args, mode, "-n", ns, "web", "-d", "3s")...)
					expectFunctions(t, p, c.wanted, c.unwanted)
				})
			}
		})
	}
}

// A Guaranteed pod with 40 MiB left below its limit can be profiled, and is not killed.
func TestNearItsMemoryLimit(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "hog", guaranteed(container("hog", "/hog", "-mb=120"), "500m", "160Mi")))
	p, _ := profileOf(t, "--ephemeral", "-n", ns, "hog", "-d", "5s")
	expectFunctions(t, p, []string{"main.touchPages"}, nil)
	pod, err := client.CoreV1().Pods(ns).Get(t.Context(), "hog", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses) {
		ended := c.State.Terminated
		if c.Name == "hog" && (ended != nil || c.RestartCount > 0) || ended != nil && ended.Reason == "OOMKilled" {
			t.Errorf("container %s: %s", c.Name, fmt.Sprintf("%+v", c.State))
		}
	}
}

// A workload resolves to one of its ready pods.
func TestPodOfADeployment(t *testing.T) {
	ns := namespace(t, "")
	deployShop(t, ns)
	for _, name := range []string{"deployment/web", "deploy/web", "service/web"} {
		t.Run(name, func(t *testing.T) {
			p, _ := profileOf(t, "--ephemeral", "-n", ns, name, "-d", "2s")
			expectFunctions(t, p, []string{"main.priceCart"}, nil)
		})
	}
}
