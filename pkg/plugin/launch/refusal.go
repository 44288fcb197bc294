package launch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/access"
)

// Refusal is the error if the cluster does not admit a mode of launching.
type Refusal struct {
	Mode   Mode
	Reason string // one line
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
	adviceEphemeral   = "without --ephemeral, a Job is tried instead"
	adviceJob         = "use --job-namespace to run the Job in a namespace that admits privileged pods"
	adviceQueue       = "use --job-namespace to run the Job in a namespace whose Jobs are not queued"
	adviceQuota       = "use --job-namespace to run the Job in a namespace whose quota has room"
	adviceLimitRange  = "use --job-namespace to run the Job in a namespace with a wider LimitRange"
	adviceNotJob      = "without --job, an ephemeral container is tried as well"
	advicePermissions = "`kubectl pprof rbac` prints the permissions needed"
)

// newRefusal returns a refusal for a reason that the user cannot remove with more permissions.
func newRefusal(mode Mode, reason string) *Refusal {
	return &Refusal{Mode: mode, Reason: reason, Advice: adviceFor(mode, reason)}
}

// limitRange matches the messages of the admission plugin LimitRanger (kubernetes,
// plugin/pkg/admission/limitranger).
var limitRange = regexp.MustCompile(`(usage|ratio) per (Container|Pod) is `)

func adviceFor(mode Mode, reason string) string {
	switch {
	case mode == Ephemeral:
		return adviceEphemeral
	case strings.Contains(reason, "exceeded quota"), strings.Contains(reason, "insufficient quota"):
		return adviceQuota
	case limitRange.MatchString(reason):
		return adviceLimitRange
	}
	return adviceJob
}

// missingPermissions returns a refusal that names permissions the user does not have.
func missingPermissions(mode Mode, missing ...access.Permission) *Refusal {
	var texts []string
	for _, p := range missing {
		texts = append(texts, p.String())
	}
	return &Refusal{Mode: mode, Reason: "you may not " + strings.Join(texts, ", nor "), Advice: advicePermissions}
}

// lacksPermission reports whether an error is a refusal because of missing permissions.
func lacksPermission(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Advice == advicePermissions
}

// dryRunError turns the error of a dry run, which takes the given permission, into a *Refusal if the
// cluster refused the request. It returns nil if the request is admitted, and other errors as they are.
func dryRunError(ctx context.Context, client kubernetes.Interface, mode Mode, needed access.Permission, err error) error {
	var status apierrors.APIStatus
	if err == nil || !errors.As(err, &status) {
		return err
	}
	message := status.Status().Message
	switch code := status.Status().Code; {
	case strings.Contains(message, "does not support dry run"):
		// A webhook with side effects is not called in a dry run: only the real request shows its answer
		// (apiserver, pkg/admission/plugin/webhook).
		return nil
	case code == http.StatusForbidden:
		if !mayTry(ctx, client, needed) {
			return missingPermissions(mode, needed)
		}
	case code == http.StatusInternalServerError && strings.Contains(message, "webhook"):
		// A webhook that cannot be called and whose failurePolicy is Fail.
	case code == http.StatusBadRequest, code == http.StatusUnprocessableEntity, code == http.StatusMethodNotAllowed:
	default:
		return err
	}
	return newRefusal(mode, shorten(message))
}

// podSecurityDetail matches the long explanation that follows each check in PodSecurity's messages.
var podSecurityDetail = regexp.MustCompile(` \([^()]*\)`)

// shorten returns a policy's message as one line that still names the policy and each violation.
func shorten(message string) string {
	before, checks, found := strings.Cut(oneLine(message), `violates PodSecurity "`)
	if !found {
		return before
	}
	return before + `violates PodSecurity "` + podSecurityDetail.ReplaceAllString(checks, "")
}

// maxLine bounds a message of the cluster, in bytes.
const maxLine = 800

// oneLine joins the lines of a message and cuts it after maxLine bytes.
func oneLine(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > maxLine {
		message = strings.ToValidUTF8(message[:maxLine], "") + "…"
	}
	return message
}
