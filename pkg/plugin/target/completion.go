package target

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
)

// maxListed bounds lists of objects that only serve as suggestions.
const maxListed = 500

// Names returns the names of at most maxListed objects of a type in a namespace, for shell completion.
// It returns none if they cannot be listed.
func Names(ctx context.Context, objects dynamic.Interface, namespace, typ string) []string {
	k, err := parseKind(typ)
	if err != nil {
		return nil
	}
	list, err := objects.Resource(k.resource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: maxListed})
	if err != nil {
		return nil
	}
	var names []string
	for _, o := range list.Items {
		names = append(names, o.GetName())
	}
	return names
}

// Namespaces returns the names of at most maxListed namespaces, or none if the user may not list them.
func Namespaces(ctx context.Context, c Clients) []string {
	list, err := c.Core.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: maxListed})
	if err != nil {
		return nil
	}
	var names []string
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	return names
}

// ContainersOf returns the names of the containers that can be profiled in the pod that a query names.
// It returns none if there is no such pod.
func ContainersOf(ctx context.Context, c Clients, q Query) []string {
	pod, _, err := findPod(ctx, c, q)
	if err != nil {
		return nil
	}
	return containerNames(pod)
}
