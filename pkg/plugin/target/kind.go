package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// kind is a type whose objects select pods. kubectl's polymorphic helpers read the API server's
// discovery documents for that, which costs a first user a second; the types named here do not
// change, so their objects are fetched directly.
type kind struct {
	name     string // singular, as shown
	short    string
	resource schema.GroupVersionResource
}

var kinds = []kind{
	{"pod", "po", schema.GroupVersionResource{Version: "v1", Resource: "pods"}},
	{"deployment", "deploy", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}},
	{"statefulset", "sts", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}},
	{"daemonset", "ds", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}},
	{"replicaset", "rs", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}},
	{"job", "job", schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}},
	{"service", "svc", schema.GroupVersionResource{Version: "v1", Resource: "services"}},
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
		if slices.Contains([]string{k.name, k.short, k.resource.Resource}, name) && (group == "" || group == k.resource.Group) {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("unknown type %q; choose one of: %s", typ, strings.Join(Types(), ", "))
}

// errNoSelector is for objects that stand for no pods, such as a service with endpoints of its own.
var errNoSelector = errors.New("it has no selector, so no pods: name a pod")

// selector gives the labels by which an object selects its pods.
func (k kind) selector(ctx context.Context, objects dynamic.Interface, namespace, name string) (labels.Selector, error) {
	object, err := objects.Resource(k.resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	spec, _, _ := unstructured.NestedMap(object.Object, "spec", "selector")
	if len(spec) == 0 {
		return nil, errNoSelector
	}
	var selector metav1.LabelSelector
	if k.name == "service" { // the only one of them with plain labels
		spec = map[string]any{"matchLabels": spec}
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &selector); err != nil {
		return nil, err
	}
	return metav1.LabelSelectorAsSelector(&selector)
}

// Names lists the objects of a type in a namespace, at most 500: it serves shell completion.
func Names(ctx context.Context, objects dynamic.Interface, namespace, typ string) []string {
	k, err := kindOf(typ)
	if err != nil {
		return nil
	}
	list, err := objects.Resource(k.resource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil
	}
	var names []string
	for _, o := range list.Items {
		names = append(names, o.GetName())
	}
	return names
}

// Namespaces lists the cluster's namespaces, as far as the user may see them.
func Namespaces(ctx context.Context, c Clients) []string {
	list, err := c.Core.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil
	}
	var names []string
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	return names
}
