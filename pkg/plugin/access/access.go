// Package access asks the API server what the user may do. Its entry point is Check. It must not
// depend on what the permissions are needed for.
package access

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Permission is a verb on a resource of a namespace, perhaps on a subresource.
type Permission struct {
	Verb, Group, Resource, Subresource, Namespace string
}

// Action returns the permission without its namespace, such as "create pods/exec".
func (p Permission) Action() string {
	if p.Subresource == "" {
		return p.Verb + " " + p.Resource
	}
	return p.Verb + " " + p.Resource + "/" + p.Subresource
}

func (p Permission) String() string {
	return fmt.Sprintf("%s in namespace %q", p.Action(), p.Namespace)
}

// Permissions returns the permissions that the rules grant in a namespace.
func Permissions(namespace string, rules ...rbacv1.PolicyRule) (all []Permission) {
	for _, r := range rules {
		for _, group := range r.APIGroups {
			for _, path := range r.Resources {
				resource, subresource, _ := strings.Cut(path, "/")
				for _, verb := range r.Verbs {
					all = append(all, Permission{verb, group, resource, subresource, namespace})
				}
			}
		}
	}
	return all
}

// Check reports whether the user has a permission. It creates a SelfSubjectAccessReview, which every
// user may do unless an administrator has taken that right away; then it returns an error.
func Check(ctx context.Context, client kubernetes.Interface, p Permission) (bool, error) {
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: p.Verb, Group: p.Group, Resource: p.Resource, Subresource: p.Subresource, Namespace: p.Namespace,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}
