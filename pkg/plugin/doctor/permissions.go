package doctor

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

// permissions checks the rules of each way to launch, but for the way back.
func (e *examination) permissions(ctx context.Context) []Check {
	var checks []Check
	closed := 0
	for _, mode := range []struct {
		mode      launch.Mode
		name      string
		namespace string
	}{{launch.Ephemeral, "ephemeral", e.namespace()}, {launch.Job, "job", e.jobNamespace()}} {
		c := e.rules(ctx, "permissions: "+string(mode.mode), mode.namespace, withoutTransfer(launch.Rules(mode.mode, stream.Exec)))
		if c.Verdict == Warning {
			c.Remedy = fmt.Sprintf("ask for what `kubectl pprof rbac --mode %s -n %s` prints", mode.name, mode.namespace)
			closed++
		}
		checks = append(checks, c)
	}
	if closed == len(checks) {
		for i := range checks {
			checks[i].Verdict = Failed
		}
	}
	return checks
}

// endpoint checks the last resort, which no profile needs.
func (e *examination) endpoint(ctx context.Context) []Check {
	c := e.rules(ctx, "permissions: --from-endpoint", e.namespace(), launch.EndpointRules()[1:])
	if c.Verdict == Warning {
		c.Verdict = OK
		c.Detail += ": programs' own net/http/pprof cannot be reached, which only --from-endpoint needs"
	}
	return []Check{c}
}

// withoutTransfer leaves out the rule of the way back, which has checks of its own.
func withoutTransfer(rules []rbacv1.PolicyRule) (rest []rbacv1.PolicyRule) {
	for _, r := range rules {
		if r.Resources[0] != "pods/"+string(stream.Exec) {
			rest = append(rest, r)
		}
	}
	return rest
}

// rules checks that all of the rules are granted: a warning if not.
func (e *examination) rules(ctx context.Context, name, namespace string, rules []rbacv1.PolicyRule) Check {
	var granted, missing []string
	for _, r := range rules {
		for _, resource := range r.Resources {
			for _, verb := range r.Verbs {
				allowed, err := e.allowed(ctx, verb, r.APIGroups[0], resource, namespace)
				if err != nil {
					return Check{name, Unknown, fmt.Sprintf("the API server does not tell: %v", err), ""}
				}
				if text := verb + " " + resource; allowed {
					granted = append(granted, text)
				} else {
					missing = append(missing, text)
				}
			}
		}
	}
	if len(missing) > 0 {
		return Check{name, Warning, fmt.Sprintf("you may not %s in namespace %q", strings.Join(missing, ", nor "), namespace), ""}
	}
	return Check{name, OK, "you may " + strings.Join(granted, ", "), ""}
}

// allowed asks by a self subject access review, which every user may create unless an administrator took that away.
func (e *examination) allowed(ctx context.Context, verb, group, resource, namespace string) (bool, error) {
	resource, subresource, _ := strings.Cut(resource, "/")
	review, err := e.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

// transfers checks each way back: where the target is, and where the Job would be. One is enough, and the first is the best.
func (e *examination) transfers(ctx context.Context) []Check {
	checks, closed := e.transfersFrom(ctx, e.namespace(), "")
	if n := e.jobNamespace(); n != e.namespace() {
		more, closedToo := e.transfersFrom(ctx, n, " in "+n)
		checks, closed = append(checks, more...), closed+closedToo
	}
	if closed == len(checks) {
		for i := range checks {
			checks[i].Verdict = Failed
		}
	}
	return checks
}

// transfersFrom checks those from a profiler in a namespace; where is said after their names.
func (e *examination) transfersFrom(ctx context.Context, namespace, where string) (checks []Check, closed int) {
	for _, t := range stream.Transfers() {
		rules := launch.Rules(launch.Ephemeral, t)
		var rule rbacv1.PolicyRule
		for _, r := range rules {
			if strings.HasPrefix(r.Resources[0], "pods/") && r.Resources[0] != "pods/ephemeralcontainers" {
				rule = r
			}
		}
		c := e.transfer(ctx, t, rule, namespace)
		c.Name += where
		if c.Verdict == Warning {
			closed++
		}
		checks = append(checks, c)
	}
	return checks, closed
}

// transfer checks one way back: any of the rule's verbs will do for one of the protocols.
func (e *examination) transfer(ctx context.Context, t stream.Transfer, rule rbacv1.PolicyRule, namespace string) Check {
	name := "transfer: " + string(t)
	var may, mayNot []string
	for _, verb := range rule.Verbs {
		allowed, err := e.allowed(ctx, verb, "", rule.Resources[0], namespace)
		if err != nil {
			return Check{name, Unknown, fmt.Sprintf("the API server does not tell: %v", err), ""}
		}
		if text := verb + " " + rule.Resources[0]; allowed {
			may = append(may, text)
		} else {
			mayNot = append(mayNot, text)
		}
	}
	remedy := fmt.Sprintf("ask for what `kubectl pprof rbac --transfer %s -n %s` prints", t, namespace)
	switch {
	case len(mayNot) == 0:
		return Check{name, OK, "you may " + strings.Join(may, ", "), ""}
	case len(may) == 0:
		return Check{name, Warning, "you may not " + strings.Join(mayNot, ", nor "), remedy}
	}
	return Check{name, OK, fmt.Sprintf("you may %s, but not %s: only one of WebSocket (get) and SPDY (create) will work, from Kubernetes 1.35 on none without create",
		strings.Join(may, ", "), strings.Join(mayNot, ", ")), ""}
}
