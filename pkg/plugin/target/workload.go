package target

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubectl/pkg/util/podutils"
)

// choosePod returns the pod of a workload that has been ready the longest, as `kubectl logs` does, so
// that two successive profiles are of the same pod. The note says so if there are several.
func choosePod(ctx context.Context, c Clients, k kind, q Query) (pod *corev1.Pod, note string, err error) {
	what := fmt.Sprintf("%s %q", k.name, q.Name)
	selector, err := k.selector(ctx, c.Objects, q.Namespace, q.Name)
	if apierrors.IsNotFound(err) {
		return nil, "", fmt.Errorf("%s not found in namespace %q", what, q.Namespace)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", what, err)
	}
	list, err := c.Core.CoreV1().Pods(q.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, "", fmt.Errorf("pods of %s: %w", what, err)
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		pods = append(pods, &list.Items[i])
	}
	sort.Stable(podutils.ByLogging(pods))
	ready := slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool {
		return !podutils.IsPodReady(p) || p.DeletionTimestamp != nil
	})
	switch {
	case len(pods) == 0:
		return nil, "", fmt.Errorf("%s in namespace %q has no pods", what, q.Namespace)
	case len(ready) == 0:
		return nil, "", fmt.Errorf("%s in namespace %q has no ready pod; name one to profile it anyway: %s",
			what, q.Namespace, firstNames(pods))
	case len(ready) > 1:
		note = fmt.Sprintf("profiling pod %s, one of %d ready pods of %s", ready[0].Name, len(ready), what)
	}
	return ready[0], note, nil
}

// firstNames returns the names of at most five pods.
func firstNames(pods []*corev1.Pod) string {
	var names []string
	for _, p := range pods {
		if len(names) == 5 {
			names = append(names, "…")
			break
		}
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}
