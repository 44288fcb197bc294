//go:build linux

package e2e

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// setField returns a policy that sets a field of the profiler's container.
func setField(value any, path ...string) *policy {
	return &policy{container: func(c map[string]any) string {
		unstructured.SetNestedField(c, value, path...)
		return ""
	}}
}

// What the cluster's admission changes is found by the dry run, before anything is created, and does
// no harm where the profiler can do without it.
func TestAdmissionChanges(t *testing.T) {
	if !onThisMachine {
		t.Skip("left out: the API server of another machine cannot call the test's webhook")
	}
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	w := startWebhook(t, ns)
	expectProfiles := func(t *testing.T, flags ...string) {
		t.Helper()
		p, _ := profileOf(t, append([]string{"-n", ns, "web", "-d", "1s"}, flags...)...)
		expectFunctions(t, p, []string{"main.priceCart"}, nil)
	}
	expectRefused := func(t *testing.T, args []string, texts ...string) {
		t.Helper()
		refuseBeforeStart(t, ns, "web", args, append(texts, "the cluster's admission")...)
	}

	t.Run("not privileged", func(t *testing.T) {
		w.policy.Store(setField(false, "securityContext", "privileged"))
		expectRefused(t, nil, "privileged is false, not true", "--capabilities", "ephemeral container", "Job")
		expectRefused(t, []string{"--ephemeral"}, "privileged is false")
		expectProfiles(t, "--capabilities", "--ephemeral")
		examine(t, 1, map[string]string{"admission: ephemeral container": "failed", "admission: Job": "failed"}, "-n", ns, "web")
	})
	t.Run("another command", func(t *testing.T) {
		w.policy.Store(setField([]any{"/spin"}, "command"))
		expectRefused(t, nil, `"/spin"`)
	})
	t.Run("suspended Job", func(t *testing.T) {
		w.policy.Store(&policy{job: func(job map[string]any) { unstructured.SetNestedField(job, true, "spec", "suspend") }})
		expectRefused(t, []string{"--job"}, "spec.suspend is true", "Kueue")
		expectProfiles(t)
	})
	t.Run("read-only root file system", func(t *testing.T) {
		w.policy.Store(setField(true, "securityContext", "readOnlyRootFilesystem"))
		expectProfiles(t, "--ephemeral")
		expectProfiles(t, "--job")
		expectProfiles(t, "--ephemeral", "--transfer", "logs")
	})
	t.Run("stdin refused", func(t *testing.T) {
		w.policy.Store(&policy{container: func(c map[string]any) string {
			if c["stdin"] == true {
				return "interactive debug containers are not allowed here"
			}
			return ""
		}})
		expectProfiles(t, "--ephemeral")
		expectProfiles(t, "--job")
		refuseBeforeStart(t, ns, "web", []string{"--transfer", "attach"}, "interactive debug containers are not allowed here")
	})
	t.Run("stdin removed", func(t *testing.T) {
		w.policy.Store(setField(false, "stdin"))
		expectProfiles(t, "--ephemeral")
		expectRefused(t, []string{"--ephemeral", "--transfer", "attach"}, "stdin is false", "pods/exec")
	})
	w.policy.Store(&policy{})
}
