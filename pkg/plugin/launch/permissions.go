package launch

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/access"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

// Rules returns the permissions that suffice to profile a pod by its name. All of them are for the
// pod's namespace; with --job-namespace, "get pods" is for the pod's and the others for the Job's.
func Rules(mode Mode, transfer stream.Transfer) []rbacv1.PolicyRule {
	rules := ModeRules(mode)
	return append([]rbacv1.PolicyRule{rules[0], TransferRule(transfer)}, rules[1:]...)
}

// ModeRules returns the permissions that launching takes, without those for the transfer.
func ModeRules(mode Mode) []rbacv1.PolicyRule {
	pods := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}
	if mode == Job {
		pods.Verbs = append(pods.Verbs, "list")
		return []rbacv1.PolicyRule{pods, {APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"create", "delete"}}}
	}
	return []rbacv1.PolicyRule{pods, {APIGroups: []string{""}, Resources: []string{"pods/ephemeralcontainers"}, Verbs: []string{"patch"}}}
}

// TransferRule returns the permissions for a transfer. A WebSocket is a GET and SPDY a POST, so each
// of the verbs suffices for one protocol; Kubernetes 1.35 and later demand create for both.
func TransferRule(t stream.Transfer) rbacv1.PolicyRule {
	if t == stream.Logs {
		return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}}
	}
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/" + string(t)}, Verbs: []string{"create", "get"}}
}

// EndpointRules returns the permissions that suffice to profile a pod through the net/http/pprof
// endpoints of its program.
func EndpointRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create", "get"}},
	}
}

// mayTry reports whether the user has a permission, or whether that cannot be checked: then the
// request itself shows it.
func mayTry(ctx context.Context, client kubernetes.Interface, p access.Permission) bool {
	allowed, err := access.Check(ctx, client, p)
	return allowed || err != nil
}
