//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// policy is what a webhook does to a Job, or to a pod and its profiler's container. It returns the
// reason for which it refuses the object, or "".
type policy struct {
	job       func(job map[string]any)
	container func(container map[string]any) (refused string)
}

// webhook admits pods, ephemeral containers and Jobs of one namespace by the policy that is set.
type webhook struct {
	policy atomic.Pointer[policy]
	called atomic.Int64
}

// startWebhook registers a webhook for a namespace. It runs on this machine, as the API server does.
func startWebhook(t *testing.T, ns string) *webhook {
	t.Helper()
	w := new(webhook)
	w.policy.Store(&policy{})
	server := httptest.NewTLSServer(w)
	t.Cleanup(server.Close)
	fail, none, url := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone, server.URL
	rule := func(operation admissionregistrationv1.OperationType, group, resource string) admissionregistrationv1.RuleWithOperations {
		return admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{operation},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resource},
			},
		}
	}
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "policy.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: &none, FailurePolicy: &fail,
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: &url, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
			Rules: []admissionregistrationv1.RuleWithOperations{
				rule(admissionregistrationv1.Create, "", "pods"), rule(admissionregistrationv1.Update, "", "pods/ephemeralcontainers"),
				rule(admissionregistrationv1.Create, "batch", "jobs"),
			},
		}},
	}
	configurations := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	configuration, err := configurations.Create(t.Context(), configuration, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { configurations.Delete(context.Background(), configuration.Name, metav1.DeleteOptions{}) })
	eventually(t, 2*time.Minute, "the API server to call the webhook", func() (bool, string) {
		pod, dryRun := podOf(ns, "try", container("app", "/spin")), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
		_, err := client.CoreV1().Pods(ns).Create(t.Context(), pod, dryRun)
		return w.called.Load() > 0, fmt.Sprint(err)
	})
	return w
}

// ServeHTTP answers an AdmissionReview. It replaces the whole spec of what it changes.
func (w *webhook) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.called.Add(1)
	var review admissionv1.AdmissionReview
	var object, old map[string]any
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || json.Unmarshal(review.Request.Object.Raw, &object) != nil {
		out.WriteHeader(http.StatusBadRequest)
		return
	}
	json.Unmarshal(review.Request.OldObject.Raw, &old) // there is none of what is created
	answer := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if refused := w.apply(review.Request.Kind.Kind, object, old); refused != "" {
		answer.Allowed, answer.Result = false, &metav1.Status{Message: refused}
	} else {
		jsonPatch := admissionv1.PatchTypeJSONPatch
		answer.PatchType = &jsonPatch
		answer.Patch, _ = json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": object["spec"]}})
	}
	review.Request, review.Response = nil, answer
	out.Header().Set("Content-Type", "application/json")
	json.NewEncoder(out).Encode(review)
}

// apply applies the policy. Ephemeral containers that the old object has cannot be changed.
func (w *webhook) apply(kind string, object, old map[string]any) (refused string) {
	p := w.policy.Load()
	if kind == "Job" {
		if p.job != nil {
			p.job(object)
		}
		return ""
	}
	for _, field := range []string{"containers", "ephemeralContainers"} {
		containers, _, _ := unstructured.NestedSlice(object, "spec", field)
		before, _, _ := unstructured.NestedSlice(old, "spec", field)
		existing := map[any]bool{}
		for _, c := range before {
			existing[c.(map[string]any)["name"]] = true
		}
		for _, c := range containers {
			c := c.(map[string]any)
			isNewProfiler := !existing[c["name"]] && (field == "ephemeralContainers" || c["name"] == "profiler")
			if p.container != nil && isNewProfiler {
				if refused := p.container(c); refused != "" {
					return refused
				}
			}
		}
		if len(containers) > 0 {
			unstructured.SetNestedSlice(object, containers, "spec", field)
		}
	}
	return ""
}
