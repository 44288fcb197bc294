package target

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Containers names what can be profiled in a pod: its containers, then its init containers (a
// sidecar is one). Ephemeral containers cannot be the target of another (KEP-277).
func Containers(pod *corev1.Pod) []string {
	var names []string
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name)
	}
	return names
}

// ContainersOf gives the Containers of the pod of a query, none if there is no such pod.
func ContainersOf(ctx context.Context, c Clients, q Query) []string {
	pod, _, err := findPod(ctx, c, q)
	if err != nil {
		return nil
	}
	return Containers(pod)
}

func has(pod *corev1.Pod, name string) bool {
	return slices.Contains(Containers(pod), name)
}

func noContainer(pod *corev1.Pod, name string) error {
	for _, c := range pod.Spec.EphemeralContainers {
		if c.Name == name {
			return fmt.Errorf("pod %q: container %q is an ephemeral container, which cannot be profiled; choose one of: %s",
				pod.Name, name, strings.Join(Containers(pod), ", "))
		}
	}
	return fmt.Errorf("pod %q has no container %q; choose one of: %s",
		pod.Name, name, strings.Join(Containers(pod), ", "))
}

// running gives the container's status if it runs, else an error that says what it does instead.
func running(pod *corev1.Pod, name string) (*corev1.ContainerStatus, error) {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range list {
			if list[i].Name != name {
				continue
			}
			if list[i].State.Running != nil {
				return &list[i], nil
			}
			if why := podEnded(pod); why != "" {
				return nil, fmt.Errorf("pod %q %s: there is nothing left to profile", pod.Name, why)
			}
			return nil, fmt.Errorf("pod %q: container %q %s", pod.Name, name, describe(list[i]))
		}
	}
	if why := podEnded(pod); why != "" {
		return nil, fmt.Errorf("pod %q %s: there is nothing left to profile", pod.Name, why)
	}
	return nil, fmt.Errorf("pod %q is Pending%s: profile it when it runs", pod.Name, reasonPending(pod))
}

func podEnded(pod *corev1.Pod) string {
	switch pod.Status.Phase {
	case corev1.PodSucceeded:
		return "has completed"
	case corev1.PodFailed:
		return "has failed" + detail(pod.Status.Reason, pod.Status.Message)
	}
	return ""
}

// reasonPending says why a pod without container statuses does not start.
func reasonPending(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status != corev1.ConditionTrue {
			return detail(c.Reason, c.Message)
		}
	}
	return detail(pod.Status.Reason, pod.Status.Message)
}

// describe says what a container that does not run does.
func describe(s corev1.ContainerStatus) string {
	text := "has not started yet"
	switch {
	case s.State.Waiting != nil:
		text = "is waiting" + detail(s.State.Waiting.Reason, s.State.Waiting.Message)
	case s.State.Terminated != nil:
		text = fmt.Sprintf("has ended with exit code %d%s", s.State.Terminated.ExitCode,
			detail(s.State.Terminated.Reason, s.State.Terminated.Message))
	}
	if s.RestartCount > 0 {
		text += fmt.Sprintf("; restarts: %d", s.RestartCount)
	}
	return text + ": profile it when it runs"
}

// detail gives " (reason: message)" of what there is, on one line.
func detail(reason, message string) string {
	message = strings.Join(strings.Fields(message), " ")
	switch {
	case reason == "" && message == "":
		return ""
	case message == "":
		return " (" + reason + ")"
	case reason == "":
		return " (" + message + ")"
	}
	return " (" + reason + ": " + message + ")"
}
