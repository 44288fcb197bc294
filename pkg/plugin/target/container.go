package target

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// containerNames returns the names of the containers of a pod that can be profiled: its containers and
// then its init containers, which include sidecars. An ephemeral container cannot be the target of
// another one (KEP-277).
func containerNames(pod *corev1.Pod) []string {
	var names []string
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name)
	}
	return names
}

// runsWindows reports whether a pod is for nodes that run Windows.
func runsWindows(pod *corev1.Pod) bool {
	return pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows ||
		pod.Spec.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows)
}

func hasContainer(pod *corev1.Pod, name string) bool {
	return slices.Contains(containerNames(pod), name)
}

// containerNotFound returns the error for a name that is not one of containerNames.
func containerNotFound(pod *corev1.Pod, name string) error {
	for _, c := range pod.Spec.EphemeralContainers {
		if c.Name == name {
			return fmt.Errorf("pod %q: container %q is an ephemeral container, which cannot be profiled; choose one of: %s",
				pod.Name, name, strings.Join(containerNames(pod), ", "))
		}
	}
	return fmt.Errorf("pod %q has no container %q; choose one of: %s",
		pod.Name, name, strings.Join(containerNames(pod), ", "))
}

// runningStatus returns the status of a container if it runs. Otherwise the error describes its state
// or that of its pod.
func runningStatus(pod *corev1.Pod, name string) (*corev1.ContainerStatus, error) {
	status := ContainerStatus(pod, name)
	if status != nil && status.State.Running != nil {
		return status, nil
	}
	switch end := podEnd(pod); {
	case end != "":
		return nil, fmt.Errorf("pod %q %s: there is nothing left to profile", pod.Name, end)
	case status != nil:
		return nil, fmt.Errorf("pod %q: container %q %s: profile it when it runs%s",
			pod.Name, name, stateText(status), otherContainers(pod))
	}
	return nil, fmt.Errorf("pod %q is Pending%s: profile it when it runs", pod.Name, pendingReason(pod))
}

// otherContainers returns the part of an error that names the running containers of a pod, or "" if
// there are none. Init containers run while the pod is Pending.
func otherContainers(pod *corev1.Pod) string {
	var names []string
	for _, name := range containerNames(pod) {
		if s := ContainerStatus(pod, name); s != nil && s.State.Running != nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; or choose with -c one that runs: " + strings.Join(names, ", ")
}

// podEnd describes how a pod ended. It returns "" if the pod has not.
func podEnd(pod *corev1.Pod) string {
	switch pod.Status.Phase {
	case corev1.PodSucceeded:
		return "has completed"
	case corev1.PodFailed:
		return "has failed" + inParentheses(pod.Status.Reason, pod.Status.Message)
	}
	return ""
}

// pendingReason returns the reason why a pod without container statuses does not start, in parentheses.
func pendingReason(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status != corev1.ConditionTrue {
			return inParentheses(c.Reason, c.Message)
		}
	}
	return inParentheses(pod.Status.Reason, pod.Status.Message)
}

// stateText describes the state of a container that does not run.
func stateText(s *corev1.ContainerStatus) string {
	text := "has not started yet"
	switch w := s.State.Waiting; {
	case w != nil && (w.Reason == "PodInitializing" || w.Reason == "ContainerCreating"):
		text += inParentheses(w.Reason, w.Message)
	case w != nil:
		text = "is waiting" + inParentheses(w.Reason, w.Message)
	case s.State.Terminated != nil:
		text = fmt.Sprintf("has ended with exit code %d%s", s.State.Terminated.ExitCode,
			inParentheses(s.State.Terminated.Reason, s.State.Terminated.Message))
	}
	if s.RestartCount > 0 {
		text += fmt.Sprintf("; restarts: %d", s.RestartCount)
	}
	return text
}

// inParentheses returns " (reason: message)" on one line, without the parts that are empty.
func inParentheses(reason, message string) string {
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
