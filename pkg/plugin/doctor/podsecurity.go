package doctor

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// enforceLabel is the label of a namespace with the PodSecurity level that it enforces
// (k8s.io/pod-security-admission/api).
const enforceLabel = "pod-security.kubernetes.io/enforce"

// podSecurity checks the level that the namespaces enforce.
func (e *examination) podSecurity(ctx context.Context) []Check {
	checks := []Check{e.podSecurityLevel(ctx, "PodSecurity", e.namespace())}
	if n := e.jobNamespace(); n != e.namespace() {
		checks = append(checks, e.podSecurityLevel(ctx, "PodSecurity: --job-namespace", n))
	}
	return checks
}

func (e *examination) podSecurityLevel(ctx context.Context, name, namespace string) Check {
	ns, err := e.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return Check{name, Unknown, fmt.Sprintf("you may not get namespace %q; the dry runs show what it admits", namespace), ""}
	case err != nil:
		return Check{name, Unknown, fmt.Sprintf("namespace %q: %v", namespace, err), ""}
	}
	level := ns.Labels[enforceLabel]
	if level == "" || level == "privileged" {
		return Check{name, OK, fmt.Sprintf("namespace %q has no label that enforces a level below privileged; the cluster's default may differ", namespace), ""}
	}
	return Check{name, Warning, fmt.Sprintf("namespace %q enforces %q, which does not admit the profiler", namespace, level),
		"use --job-namespace to run the Job in a namespace that admits privileged pods"}
}
