// Package target turns what the user named into the one running container to be profiled. Its
// entry point is Resolve, which answers with a Target or with an error that says what to name
// instead. It must not know how or with what the container is profiled.
package target

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubectl/pkg/cmd/util/podcmd"
)

// Clients of one cluster.
type Clients struct {
	Core    kubernetes.Interface
	Objects dynamic.Interface // reads workloads of any type
}

// Query is what the user named.
type Query struct {
	Namespace string
	Type      string // one of Types or an alias; empty means pod
	Name      string
	Container string // empty: the pod's default container
}

// Target is a running container.
type Target struct {
	Pod         *corev1.Pod
	Container   string
	ContainerID string // as the runtime knows it, without "containerd://"
	Image       string
	// Notes are choices made for the user, one sentence each.
	Notes []string
}

// Namespace of the target's pod.
func (t *Target) Namespace() string { return t.Pod.Namespace }

// Node is the name of the node on which the target runs.
func (t *Target) Node() string { return t.Pod.Spec.NodeName }

// String gives the target as NAMESPACE/POD/CONTAINER.
func (t *Target) String() string {
	return t.Pod.Namespace + "/" + t.Pod.Name + "/" + t.Container
}

// ParseName splits [TYPE/]NAME.
func ParseName(arg string) (typ, name string, err error) {
	typ, name, slash := strings.Cut(arg, "/")
	if !slash {
		typ, name = "", arg
	}
	if name == "" || slash && typ == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("%q is not a pod's name or TYPE/NAME", arg)
	}
	if _, err := kindOf(typ); err != nil {
		return "", "", err
	}
	return typ, name, nil
}

// Resolve finds the pod, for a type other than pod a ready one of its pods, and in it the
// container, which must be running.
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

// findPod gives the pod of a query, and a note if it was chosen among several.
func findPod(ctx context.Context, c Clients, q Query) (*corev1.Pod, string, error) {
	k, err := kindOf(q.Type)
	if err != nil {
		return nil, "", err
	}
	if k.name != "pod" {
		return podOf(ctx, c, k, q)
	}
	pod, err := c.Core.CoreV1().Pods(q.Namespace).Get(ctx, q.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, "", notFound(ctx, c, q)
	}
	if err != nil {
		return nil, "", fmt.Errorf("pod %q: %w", q.Name, err)
	}
	return pod, "", nil
}

// chooseContainer sets the container: the one asked for, else the one that kubectl's
// default-container annotation names, else the first.
func (t *Target) chooseContainer(name string) error {
	pod := t.Pod
	if pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows {
		return fmt.Errorf("pod %q runs Windows: only Linux containers can be profiled", pod.Name)
	}
	if name == "" {
		name = pod.Annotations[podcmd.DefaultContainerAnnotationName]
		if name != "" && !has(pod, name) {
			t.Notes = append(t.Notes, fmt.Sprintf("annotation %s names no container of pod %s: %q",
				podcmd.DefaultContainerAnnotationName, pod.Name, name))
			name = ""
		}
	}
	if name == "" {
		name = pod.Spec.Containers[0].Name
		if len(pod.Spec.Containers) > 1 {
			t.Notes = append(t.Notes, fmt.Sprintf("profiling container %q out of: %s",
				name, strings.Join(Containers(pod), ", ")))
		}
	}
	if !has(pod, name) {
		return noContainer(pod, name)
	}
	status, err := running(pod, name)
	if err != nil {
		return err
	}
	t.Container, t.Image = name, status.Image
	_, t.ContainerID, _ = strings.Cut(status.ContainerID, "://")
	if t.ContainerID == "" {
		return fmt.Errorf("pod %q: container %q runs, but its container ID is not known yet: try again", pod.Name, name)
	}
	return nil
}
