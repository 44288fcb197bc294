//go:build linux

package e2e

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podOf returns a pod with the given containers, which are never restarted.
func podOf(namespace, name string, containers ...corev1.Container) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"workload": name}},
		Spec: corev1.PodSpec{
			Containers:                    containers,
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: new(int64(0)),
		},
	}
}

func container(name string, command ...string) corev1.Container {
	return corev1.Container{
		Name: name, Image: workloadsImage, ImagePullPolicy: corev1.PullIfNotPresent, Command: command,
	}
}

// shop returns a container with an HTTP service that makes its own load. It is ready when the
// service accepts connections.
func shop() corev1.Container {
	c := container("shop", "/shop")
	c.ReadinessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstrOf(8080)}},
		PeriodSeconds: 1,
	}
	return c
}

// restricted makes a container acceptable to PodSecurity's restricted level.
func restricted(c corev1.Container) corev1.Container {
	c.SecurityContext = &corev1.SecurityContext{
		RunAsNonRoot:             new(true),
		AllowPrivilegeEscalation: new(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	return c
}

// guaranteed sets requests equal to limits, for the QoS class Guaranteed.
func guaranteed(c corev1.Container, cpu, memory string) corev1.Container {
	r := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
	}
	c.Resources = corev1.ResourceRequirements{Requests: r, Limits: r}
	return c
}

func quantity(s string) resource.Quantity { return resource.MustParse(s) }
