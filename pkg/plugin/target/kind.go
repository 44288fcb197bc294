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

// kind is the pod or a type whose objects select pods. kubectl's polymorphic helpers find types in the
// API server's discovery documents, which takes a second if they are not cached. These types never
// change, so their objects are read directly.
type kind struct {
	name     string // singular, for messages
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

// Types returns the types that are allowed in TYPE/NAME, in the singular.
func Types() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// parseKind returns the kind with a singular, plural or short name, in upper or lower case, and with or
// without its group, as in "deployments.apps". An empty name is a pod.
func parseKind(typ string) (kind, error) {
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

// errNoSelector is the error for an object that selects no pods, such as a service with endpoints of
// its own.
var errNoSelector = errors.New("it has no selector, and so no pods: name a pod instead")

// selector returns the label selector of an object for its pods.
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
	if k.name == "service" { // its selector is a map of labels, not a LabelSelector
		spec = map[string]any{"matchLabels": spec}
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &selector); err != nil {
		return nil, err
	}
	return metav1.LabelSelectorAsSelector(&selector)
}
