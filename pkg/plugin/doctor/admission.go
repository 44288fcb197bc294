package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// admission asks for the ephemeral container, the Job and the Job's pod by server-side dry runs.
func (e *examination) admission(ctx context.Context) []Check {
	t, modes := e.target, []launch.Mode{launch.Ephemeral, launch.Job}
	if t == nil { // only a Job can be asked for without a pod
		t = &target.Target{Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace()}}, Container: "any", ContainerID: strings.Repeat("0", 64)}
		modes = modes[1:]
	}
	var checks []Check
	closed := 0
	for _, mode := range modes {
		c := Check{Name: "admission: " + string(mode), Verdict: OK, Detail: "a dry run was admitted"}
		plan, err := launch.Choose(ctx, e.client, t, mode, e.options.Launch)
		var refusal *launch.Refusal
		switch {
		case errors.As(err, &refusal):
			c.Verdict, c.Detail, c.Remedy = Warning, refusal.Reason, refusal.Advice
			closed++
		case err != nil:
			c.Verdict, c.Detail = Unknown, err.Error()
		case plan.Fallback != "":
			c.Detail = "a dry run was admitted of " + plan.Fallback
		}
		checks = append(checks, c)
	}
	if closed == 2 {
		for i := range checks {
			checks[i].Verdict = Failed
		}
	}
	return checks
}

// podSecurity reads the level that the namespaces enforce.
func (e *examination) podSecurity(ctx context.Context) []Check {
	checks := []Check{e.level(ctx, "PodSecurity", e.namespace())}
	if n := e.jobNamespace(); n != e.namespace() {
		checks = append(checks, e.level(ctx, "PodSecurity: --job-namespace", n))
	}
	return checks
}

// enforceLabel names the level (k8s.io/pod-security-admission/api).
const enforceLabel = "pod-security.kubernetes.io/enforce"

func (e *examination) level(ctx context.Context, name, namespace string) Check {
	ns, err := e.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return Check{name, Unknown, fmt.Sprintf("you may not get namespace %q: the dry runs above tell what it admits", namespace), ""}
	case err != nil:
		return Check{name, Unknown, fmt.Sprintf("namespace %q: %v", namespace, err), ""}
	}
	level := ns.Labels[enforceLabel]
	if level == "" || level == "privileged" {
		return Check{name, OK, fmt.Sprintf("namespace %q enforces no level below privileged; its cluster's default may be another", namespace), ""}
	}
	return Check{name, Warning, fmt.Sprintf("namespace %q enforces %q, which admits no profiler", namespace, level),
		"give a namespace that admits privileged pods by --job-namespace"}
}

// pod looks for what keeps ephemeral containers out of the target's pod.
func (e *examination) pod(context.Context) []Check {
	pod := e.target.Pod
	var checks []Check
	add := func(name string, verdict Verdict, detail, remedy string) {
		checks = append(checks, Check{name, verdict, detail, remedy})
	}
	if why := launch.Unsuited(pod, e.options.Launch); why != "" {
		add("pod", Warning, why, "use --job")
	} else {
		add("pod", OK, "neither static nor in a user namespace of its own", "")
	}
	ours := 0
	for _, c := range pod.Spec.EphemeralContainers {
		if launch.IsOurs(c.Name) {
			ours++
		}
	}
	detail := fmt.Sprintf("%d of earlier profiles, %d in all", ours, len(pod.Spec.EphemeralContainers))
	if ours > 0 {
		add("ephemeral containers", Warning, detail+"; where PodSecurity is tightened later they count against each one that is to be added",
			"delete the pod when that is allowed: Kubernetes never removes them")
	} else {
		add("ephemeral containers", OK, detail, "")
	}
	return checks
}

// image says what can be known of pulling it.
func (e *examination) image(context.Context) []Check {
	const name = "image"
	detail := e.options.Launch.Image
	secrets := e.options.Launch.ImagePullSecret != "" || e.target != nil && len(e.target.Pod.Spec.ImagePullSecrets) > 0
	switch {
	case e.options.Launch.Image == "":
		return []Check{{name, Failed, "no image is given", "give one by --image"}}
	case e.options.Launch.Image == defaultImage() || secrets:
		return []Check{{name, OK, detail, ""}}
	}
	return []Check{{name, Warning, detail + ": neither the pod nor --image-pull-secret has a secret to pull it with",
		"nothing if the registry is public or the nodes have its credentials; else use --job with --image-pull-secret"}}
}
