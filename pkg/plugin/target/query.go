package target

import (
	"fmt"
	"strings"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// Clients are the clients of one cluster.
type Clients struct {
	Core    kubernetes.Interface
	Objects dynamic.Interface // for workloads
}

// Query is what the user named.
type Query struct {
	Namespace string
	Type      string // one of Types or an alias; empty means pod
	Name      string
	Container string // empty: the pod's default container
}

// ParseName splits [TYPE/]NAME.
func ParseName(arg string) (typ, name string, err error) {
	typ, name, slash := strings.Cut(arg, "/")
	if !slash {
		typ, name = "", arg
	}
	if name == "" || slash && typ == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("%q is neither the name of a pod nor TYPE/NAME", arg)
	}
	if _, err := parseKind(typ); err != nil {
		return "", "", err
	}
	return typ, name, nil
}
