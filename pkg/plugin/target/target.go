// Package target finds the running container that the user named. Its entry point is Resolve, which
// returns a Target or an error that suggests what to name instead. It must not depend on how the
// container is profiled.
package target

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubectl/pkg/cmd/util/podcmd"
)

// Target is a running container.
type Target struct {
	Pod         *corev1.Pod
	Container   string
	ContainerID string // without the runtime's prefix, such as "containerd://"
	Image       string
	// Notes describe choices that were made for the user, one sentence each.
	Notes []string
}

// Namespace returns the namespace of the target's pod.
func (t *Target) Namespace() string { return t.Pod.Namespace }

// Node returns the name of the node on which the target runs.
func (t *Target) Node() string { return t.Pod.Spec.NodeName }

// String returns NAMESPACE/POD/CONTAINER.
func (t *Target) String() string {
	return t.Pod.Namespace + "/" + t.Pod.Name + "/" + t.Container
}

// Resolve returns the container that a query names: for a workload, a container of one of its ready
// pods. The container must be running.
func Resolve(ctx context.Context, c Clients, q Query) (*Target, error) {
	pod, note, err := findPod(ctx, c, q)
	if err != nil {
		return nil, err
	}
	t := &Target{Pod: pod}
	if note != "" {
		t.Notes = append(t.Notes, note)
	}
	if err := t.chooseContainer(q.Container); err != nil {
		return nil, err
	}
	return t, nil
}

// findPod returns the pod that a query names, and a note if it was chosen among several.
func findPod(ctx context.Context, c Clients, q Query) (*corev1.Pod, string, error) {
	k, err := parseKind(q.Type)
	if err != nil {
		return nil, "", err
	}
	if k.name != "pod" {
		return choosePod(ctx, c, k, q)
	}
	pod, err := c.Core.CoreV1().Pods(q.Namespace).Get(ctx, q.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, "", podNotFound(ctx, c, q)
	}
	if err != nil {
		return nil, "", fmt.Errorf("pod %q: %w", q.Name, err)
	}
	return pod, "", nil
}

// chooseContainer sets the container: the one with the given name; without a name, the one in kubectl's
// default-container annotation; without that, the first.
func (t *Target) chooseContainer(name string) error {
	pod := t.Pod
	if runsWindows(pod) {
		return fmt.Errorf("pod %q runs Windows: only Linux containers can be profiled", pod.Name)
	}
	if name == "" {
		name = pod.Annotations[podcmd.DefaultContainerAnnotationName]
		if name != "" && !hasContainer(pod, name) {
			t.Notes = append(t.Notes, fmt.Sprintf("pod %s has no container %q, which its annotation %s names",
				pod.Name, name, podcmd.DefaultContainerAnnotationName))
			name = ""
		}
	}
	if name == "" {
		if len(pod.Spec.Containers) == 0 { // the API server never admits that
			return fmt.Errorf("pod %q has no containers", pod.Name)
		}
		name = pod.Spec.Containers[0].Name
		if len(pod.Spec.Containers) > 1 {
			t.Notes = append(t.Notes, fmt.Sprintf("profiling container %q, one of: %s",
				name, strings.Join(containerNames(pod), ", ")))
		}
	}
	if !hasContainer(pod, name) {
		return containerNotFound(pod, name)
	}
	status, err := runningStatus(pod, name)
	if err != nil {
		return err
	}
	t.Container, t.Image = name, status.Image
	_, t.ContainerID, _ = strings.Cut(status.ContainerID, "://")
	if t.ContainerID == "" {
		return fmt.Errorf("pod %q: container %q runs, but its container ID is not reported yet: try again", pod.Name, name)
	}
	return nil
}
