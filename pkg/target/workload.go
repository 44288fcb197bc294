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
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubectl/pkg/util/podutils"
)

// kind is a type whose objects lead to pods. kubectl's polymorphic helpers need the API server's
// discovery documents for that, which costs a first user a second; the types named here never
// change, so they are fetched directly.
type kind struct {
	name     string // singular, as shown
	resource string // plural, as in RBAC rules
	group    string
	short    string
	selector func(ctx context.Context, c kubernetes.Interface, namespace, name string) (labels.Selector, error)
}

var kinds = []kind{
	{name: "pod", resource: "pods", short: "po"},
	{name: "deployment", resource: "deployments", group: "apps", short: "deploy",
		selector: func(ctx context.Context, c kubernetes.Interface, ns, name string) (labels.Selector, error) {
			o, err := c.AppsV1().Deployments(ns).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return metav1.LabelSelectorAsSelector(o.Spec.Selector)
		}},
	{name: "statefulset", resource: "statefulsets", group: "apps", short: "sts",
		selector: func(ctx context.Context, c kubernetes.Interface, ns, name string) (labels.Selector, error) {
			o, err := c.AppsV1().StatefulSets(ns).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return metav1.LabelSelectorAsSelector(o.Spec.Selector)
		}},
	{name: "daemonset", resource: "daemonsets", group: "apps", short: "ds",
		selector: func(ctx context.Context, c kubernetes.Interface, ns, name string) (labels.Selector, error) {
			o, err := c.AppsV1().DaemonSets(ns).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return metav1.LabelSelectorAsSelector(o.Spec.Selector)
		}},
	{name: "replicaset", resource: "replicasets", group: "apps", short: "rs",
		selector: func(ctx context.Context, c kubernetes.Interface, ns, name string) (labels.Selector, error) {
			o, err := c.AppsV1().ReplicaSets(ns).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return metav1.LabelSelectorAsSelector(o.Spec.Selector)
		}},
	{name: "job", resource: "jobs", group: "batch", short: "job",
		selector: func(ctx context.Context, c kubernetes.Interface, ns, name string) (labels.Selector, error) {
			o, err := c.BatchV1().Jobs(ns).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return metav1.LabelSelectorAsSelector(o.Spec.Selector)
		}},
	{name: "service", resource: "services", short: "svc",
		selector: func(ctx context.Context, c kubernetes.Interface, ns, name string) (labels.Selector, error) {
			o, err := c.CoreV1().Services(ns).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			if len(o.Spec.Selector) == 0 {
				return labels.Nothing(), fmt.Errorf("service %q has no selector, so no pods: name a pod", name)
			}
			return labels.SelectorFromSet(o.Spec.Selector), nil
		}},
}

// Types names the types that can stand before the slash of TYPE/NAME.
func Types() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// kindOf finds a kind by its singular, plural or short name, in any case and with or without its
// group ("deployments.apps").
func kindOf(typ string) (kind, error) {
	if typ == "" {
		return kinds[0], nil
	}
	name, group, _ := strings.Cut(strings.ToLower(typ), ".")
	for _, k := range kinds {
		if slices.Contains([]string{k.name, k.resource, k.short}, name) && (group == "" || group == k.group) {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("unknown type %q; choose one of: %s", typ, strings.Join(Types(), ", "))
}

// podOf picks a ready pod of a workload: the one that has been ready the longest, as `kubectl
// logs` does, so that two profiles in a row are of the same pod.
func podOf(ctx context.Context, client kubernetes.Interface, k kind, q Query) (*corev1.Pod, []string, error) {
	selector, err := k.selector(ctx, client, q.Namespace, q.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil, fmt.Errorf("%s %q not found in namespace %q", k.name, q.Name, q.Namespace)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s %q: %w", k.name, q.Name, err)
	}
	list, err := client.CoreV1().Pods(q.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, nil, fmt.Errorf("pods of %s %q: %w", k.name, q.Name, err)
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		pods = append(pods, &list.Items[i])
	}
	sort.Stable(podutils.ByLogging(pods))
	ready := slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool {
		return !podutils.IsPodReady(p) || p.DeletionTimestamp != nil
	})
	what := fmt.Sprintf("%s %q", k.name, q.Name)
	switch {
	case len(pods) == 0:
		return nil, nil, fmt.Errorf("%s in namespace %q has no pods", what, q.Namespace)
	case len(ready) == 0:
		return nil, nil, fmt.Errorf("%s in namespace %q has no ready pod among its %d; name one of them to profile it nevertheless: %s",
			what, q.Namespace, len(pods), names(pods))
	case len(ready) == 1:
		return ready[0], nil, nil
	}
	return ready[0], []string{fmt.Sprintf("profiling pod %q out of %d ready ones of %s", ready[0].Name, len(ready), what)}, nil
}

// names lists up to five pods.
func names(pods []*corev1.Pod) string {
	var names []string
	for _, p := range pods {
		if len(names) == 5 {
			return strings.Join(names, ", ") + ", …"
		}
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}
