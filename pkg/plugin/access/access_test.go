package access

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestPermissions(t *testing.T) {
	got := Permissions("shop",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: []string{"create", "get"}},
		rbacv1.PolicyRule{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"delete"}})
	want := []Permission{
		{"create", "", "pods", "exec", "shop"},
		{"get", "", "pods", "exec", "shop"},
		{"delete", "batch", "jobs", "", "shop"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, want := got[0].String(), `create pods/exec in namespace "shop"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCheck(t *testing.T) {
	unavailable := errors.New("unavailable")
	for name, c := range map[string]struct {
		allowed bool
		err     error
	}{
		"allowed":     {true, nil},
		"not allowed": {false, nil},
		"no answer":   {false, unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			client.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: c.allowed}}, c.err
			})
			got, err := Check(t.Context(), client, Permission{Verb: "list", Resource: "pods", Namespace: "shop"})
			if got != c.allowed || !errors.Is(err, c.err) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
