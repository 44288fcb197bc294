package launch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Refusal says that a cluster, asked beforehand, does not allow a way of launching.
type Refusal struct {
	Mode   Mode
	Reason string // on one line
	Advice string // what to do about it
}

func (r *Refusal) Error() string {
	text := fmt.Sprintf("the %s is refused: %s", r.Mode, r.Reason)
	if r.Advice != "" {
		text += "\n  " + r.Advice
	}
	return text
}

const (
	adviceEphemeral = "without --ephemeral a Job is tried instead"
	adviceJob       = "a namespace that admits privileged pods can be given with --job-namespace"
	adviceRights    = "`kubectl pprof rbac` prints the permissions needed"
)

func (m Mode) advice() string {
	if m == Ephemeral {
		return adviceEphemeral
	}
	return adviceJob
}

// permission is what RBAC calls a rule: a verb on a resource, perhaps a subresource.
type permission struct {
	verb, group, resource, subresource, namespace string
}

func (p permission) String() string {
	what := p.resource
	if p.subresource != "" {
		what += "/" + p.subresource
	}
	return fmt.Sprintf("%s %s in namespace %q", p.verb, what, p.namespace)
}

// allowed asks whether the user has a permission. Whoever may not even ask is taken to have it:
// the request itself will tell.
func allowed(ctx context.Context, client kubernetes.Interface, p permission) bool {
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: p.verb, Group: p.group, Resource: p.resource, Subresource: p.subresource, Namespace: p.namespace,
		}},
	}, metav1.CreateOptions{})
	return err != nil || review.Status.Allowed
}

// refusal makes a *Refusal of the error of a dry run that needed the permission p: nil stays nil,
// and an error that is not the cluster's judgement on the request stays what it is.
func refusal(ctx context.Context, client kubernetes.Interface, mode Mode, p permission, err error) error {
	var status apierrors.APIStatus
	if err == nil || !errors.As(err, &status) {
		return err
	}
	message := status.Status().Message
	switch code := status.Status().Code; {
	case strings.Contains(message, "does not support dry run"):
		// A webhook with side effects: it must be asked for real (API server, admission/plugin/webhook).
		return nil
	case code == http.StatusForbidden:
		if !allowed(ctx, client, p) {
			return lacks(mode, p)
		}
	case code == http.StatusInternalServerError && strings.Contains(message, "webhook"):
		// A webhook that does not answer and whose failurePolicy is Fail.
	case code == http.StatusBadRequest, code == http.StatusUnprocessableEntity, code == http.StatusMethodNotAllowed:
	default:
		return err
	}
	return &Refusal{Mode: mode, Reason: quote(message), Advice: mode.advice()}
}

func lacks(mode Mode, missing ...permission) *Refusal {
	var texts []string
	for _, p := range missing {
		texts = append(texts, p.String())
	}
	return &Refusal{Mode: mode, Reason: "you may not " + strings.Join(texts, ", nor "), Advice: adviceRights}
}

// podSecurityDetail is what follows each check that PodSecurity names, and is long.
var podSecurityDetail = regexp.MustCompile(` \([^()]*\)`)

// quote shortens a refusal to one line that still names the policy and all it objects to.
func quote(message string) string {
	before, checks, found := strings.Cut(oneLine(message), `violates PodSecurity "`)
	if !found {
		return before
	}
	return before + `violates PodSecurity "` + podSecurityDetail.ReplaceAllString(checks, "")
}

// oneLine joins the lines of a policy's message; 800 bytes are more than anybody reads.
func oneLine(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > 800 {
		message = strings.ToValidUTF8(message[:800], "") + "…"
	}
	return message
}
