package launch

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/access"
)

// statusError returns the error that a client returns for a status of the API server.
func statusError(code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message}}
}

func TestDryRunError(t *testing.T) {
	patch := access.Permission{Verb: "patch", Resource: "pods", Subresource: "ephemeralcontainers", Namespace: "shop"}
	const kyverno = "admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\n" +
		"resource Pod/shop/web-0 was blocked due to the following policies\n\ndisallow-privileged:\n  privileged: 'validation error'\n"
	network := errors.New("connection refused")
	for name, c := range map[string]struct {
		err     error
		mayNot  bool
		refused string // the reason of the expected refusal; empty: none is expected
		want    error  // if none is expected
	}{
		"admitted":                   {},
		"missing permission":         {statusError(http.StatusForbidden, `pods "web-0" is forbidden: User "eve" cannot patch`), true, `you may not patch pods/ephemeralcontainers in namespace "shop"`, nil},
		"PodSecurity":                {err: statusError(http.StatusForbidden, `pods "web-0" is forbidden: violates PodSecurity "restricted:latest": privileged (container "x" must not set securityContext.privileged=true), unrestricted capabilities (container "x" must set securityContext.capabilities.drop=["ALL"])`), refused: `pods "web-0" is forbidden: violates PodSecurity "restricted:latest": privileged, unrestricted capabilities`},
		"Kyverno with several lines": {err: statusError(http.StatusBadRequest, kyverno), refused: `admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/shop/web-0 was blocked due to the following policies disallow-privileged: privileged: 'validation error'`},
		"admission policy":           {err: statusError(http.StatusUnprocessableEntity, `ValidatingAdmissionPolicy 'p' denied request`), refused: `ValidatingAdmissionPolicy 'p' denied request`},
		"webhook down":               {err: statusError(http.StatusInternalServerError, `failed calling webhook "x": timeout`), refused: `failed calling webhook "x": timeout`},
		"webhook with side effects":  {err: statusError(http.StatusBadRequest, `admission webhook "x" does not support dry run`)},
		"error inside the server":    {err: statusError(http.StatusInternalServerError, "etcdserver: request timed out"), want: statusError(http.StatusInternalServerError, "etcdserver: request timed out")},
		"pod gone":                   {err: statusError(http.StatusNotFound, `pods "web-0" not found`), want: statusError(http.StatusNotFound, `pods "web-0" not found`)},
		"API server unreachable":     {err: network, want: network},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			client.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: !c.mayNot}}, nil
			})
			got := dryRunError(t.Context(), client, Ephemeral, patch, c.err)
			var r *Refusal
			if errors.As(got, &r) != (c.refused != "") {
				t.Fatalf("got %v, want a refusal: %v", got, c.refused != "")
			}
			if r != nil {
				if r.Reason != c.refused {
					t.Errorf("reason\n%q, want\n%q", r.Reason, c.refused)
				}
			} else if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestOneLineIsBounded(t *testing.T) {
	if got := oneLine(strings.Repeat("ä\n", 5000)); len(got) > 810 || strings.Contains(got, "\n") {
		t.Errorf("%d bytes: %.50q", len(got), got)
	}
}

func TestUnsuitable(t *testing.T) {
	for name, c := range map[string]struct {
		pod    corev1.Pod
		memory bool
		want   string
	}{
		"ordinary pod":                  {corev1.Pod{}, false, ""},
		"hostUsers: true":               {corev1.Pod{Spec: corev1.PodSpec{HostUsers: ptr.To(true)}}, false, ""},
		"hostUsers: false":              {corev1.Pod{Spec: corev1.PodSpec{HostUsers: ptr.To(false)}}, false, "hostUsers: false"},
		"hostUsers: false, without BPF": {corev1.Pod{Spec: corev1.PodSpec{HostUsers: ptr.To(false)}}, true, ""},
		"being deleted":                 {corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}}, true, "is being deleted"},
		"mirror of a static pod":        {corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"}}}, false, "static pod"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Unsuitable(&c.pod, Options{MemoryOnly: c.memory})
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
		})
	}
}
