//go:build linux

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Job's requests and limits fit the LimitRange of its namespace.
func TestLimitRange(t *testing.T) {
	ns := namespace(t, "")
	resources := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: quantity(cpu), corev1.ResourceMemory: quantity(memory)}
	}
	limits := &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "small"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer,
			Max:  resources("500m", "256Mi"), Min: resources("20m", "32Mi"), Default: resources("100m", "128Mi"),
			MaxLimitRequestRatio: corev1.ResourceList{corev1.ResourceCPU: quantity("10")},
		}}},
	}
	if _, err := client.CoreV1().LimitRanges(ns).Create(t.Context(), limits, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	start(t, podOf(ns, "web", shop()))
	p, _ := profileOf(t, "--job", "-n", ns, "web", "-d", "2s")
	expectFunctions(t, p, []string{"main.priceCart"}, nil)

	// A user who may not list LimitRanges gets the message of the API server and what helps.
	user := userWith(t, ns, mayGetPods, allow("", "pods", "create"), mayExec, mayJob)
	refuse(t, []string{"--job", "--kubeconfig", user, "web", "-d", "1s"}, "usage per Container is", "LimitRange", "--job-namespace")
}

// A quota that is used up leaves room for an ephemeral container. For a Job, the refusal names the
// quota before anything is created.
func TestQuotaThatIsUsedUp(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	for name, hard := range map[string]corev1.ResourceList{
		"pods": {corev1.ResourcePods: quantity("1")},
		"jobs": {"count/jobs.batch": quantity("0")},
	} {
		t.Run(name, func(t *testing.T) {
			quotas := client.CoreV1().ResourceQuotas(ns)
			quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
			if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			eventually(t, time.Minute, "the quota to be counted", func() (bool, string) {
				q, err := quotas.Get(t.Context(), name, metav1.GetOptions{})
				if err != nil {
					return false, err.Error()
				}
				return len(q.Status.Used) > 0, fmt.Sprintf("%+v", q.Status)
			})
			refuseBeforeStart(t, ns, "web", []string{"--job"}, "exceeded quota: "+name, "whose quota has room", "without --job")
			p, _ := profileOf(t, "-n", ns, "web", "-d", "1s")
			expectFunctions(t, p, []string{"main.priceCart"}, nil)
			quotas.Delete(t.Context(), name, metav1.DeleteOptions{})
		})
	}
}
