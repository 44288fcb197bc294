package launch

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

// Rules are the permissions that suffice to profile a pod by its name, all of them in its namespace; with
// --job-namespace, a Job takes its own there, and pods get here.
func Rules(mode Mode, transfer stream.Transfer) []rbacv1.PolicyRule {
	pods := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}
	// A WebSocket is a GET and SPDY a POST; from Kubernetes 1.35 on both need create.
	back := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/" + string(transfer)}, Verbs: []string{"create", "get"}}
	if transfer == stream.Logs {
		back.Resources, back.Verbs = []string{"pods/log"}, []string{"get"}
	}
	if mode == Job {
		pods.Verbs = append(pods.Verbs, "list")
		jobs := rbacv1.PolicyRule{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"create", "delete"}}
		return []rbacv1.PolicyRule{pods, back, jobs}
	}
	ephemeral := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/ephemeralcontainers"}, Verbs: []string{"patch"}}
	return []rbacv1.PolicyRule{pods, back, ephemeral}
}

// EndpointRules are the permissions that suffice to take a profile from a program's own endpoint.
func EndpointRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create", "get"}},
	}
}
