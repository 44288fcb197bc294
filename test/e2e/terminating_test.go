//go:build linux

package e2e

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A pod that is being deleted runs on for its grace period. It is profiled by a Job at once, because
// its node starts no more containers in it.
func TestPodThatIsBeingDeleted(t *testing.T) {
	ns := namespace(t, "")
	pod := podOf(ns, "web", shop())
	pod.Spec.TerminationGracePeriodSeconds = new(int64(900))
	pod.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{
		PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 800}},
	}
	start(t, pod)
	t.Cleanup(func() { client.CoreV1().Pods(ns).Delete(context.Background(), "web", atOnce) })
	if err := client.CoreV1().Pods(ns).Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p, r := profileOf(t, "-n", ns, "web", "-d", "2s")
	expectFunctions(t, p, shopFunctions, nil)
	expectTexts(t, r, "using a Job", "is being deleted")
	refuseBeforeStart(t, ns, "web", []string{"--ephemeral"}, "is being deleted", "Job")
	if n := len(getPod(t, ns, "web").Spec.EphemeralContainers); n != 0 {
		t.Errorf("%d ephemeral containers were added", n)
	}
}
