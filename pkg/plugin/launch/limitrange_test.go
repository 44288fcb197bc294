package launch

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// list returns resources from alternating names and quantities.
func list(pairs ...string) corev1.ResourceList {
	l := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		l[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return l
}

func TestFitLimits(t *testing.T) {
	for name, c := range map[string]struct {
		item             corev1.LimitRangeItem
		requests, limits corev1.ResourceList
		err              string
	}{
		"nothing to do": {
			corev1.LimitRangeItem{Max: list("cpu", "2", "memory", "1Gi"), Min: list("cpu", "5m")},
			list("cpu", "10m", "memory", "64Mi"), list("cpu", "1", "memory", "512Mi"), ""},
		"all of them": {
			corev1.LimitRangeItem{
				Max: list("cpu", "500m", "memory", "256Mi"), Min: list("cpu", "20m", "memory", "32Mi"),
				MaxLimitRequestRatio: list("cpu", "10"),
			},
			list("cpu", "50m", "memory", "64Mi"), list("cpu", "500m", "memory", "256Mi"), ""},
		"least above the limit": {
			corev1.LimitRangeItem{Min: list("cpu", "2", "memory", "1Gi")},
			list("cpu", "2", "memory", "1Gi"), list("cpu", "2", "memory", "1Gi"), ""},
		"most below the request": {
			corev1.LimitRangeItem{Max: list("memory", "48Mi")},
			list("cpu", "10m", "memory", "48Mi"), list("cpu", "1", "memory", "48Mi"), ""},
		"no overcommitment": {
			corev1.LimitRangeItem{MaxLimitRequestRatio: list("cpu", "1", "memory", "1.5")},
			list("cpu", "1", "memory", "357913942"), list("cpu", "1", "memory", "512Mi"), ""},
		"another resource": {
			corev1.LimitRangeItem{Min: list("ephemeral-storage", "1Mi"), Max: list("ephemeral-storage", "1Gi")},
			list("cpu", "10m", "memory", "64Mi", "ephemeral-storage", "1Mi"),
			list("cpu", "1", "memory", "512Mi", "ephemeral-storage", "1Gi"), ""},
		"too little memory": {
			corev1.LimitRangeItem{Max: list("memory", "16Mi")},
			nil, nil, `LimitRange "small" admits at most 16Mi of memory per Container`},
		"volumes": {
			corev1.LimitRangeItem{Type: corev1.LimitTypePersistentVolumeClaim, Max: list("storage", "1Gi")},
			list("cpu", "10m", "memory", "64Mi"), list("cpu", "1", "memory", "512Mi"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.item.Type == "" {
				c.item.Type = corev1.LimitTypeContainer
			}
			ranges := []corev1.LimitRange{{
				ObjectMeta: metav1.ObjectMeta{Name: "small"},
				Spec:       corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{c.item}},
			}}
			got := jobSpec("kubectl-pprof-abcde", web(), Options{}, noon).Spec.Template.Spec.Containers[0].Resources
			before := got.DeepCopy()
			changed, err := fitLimits(&got, ranges)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), adviceLimitRange) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || !equal(got.Requests, c.requests) || !equal(got.Limits, c.limits) {
				t.Errorf("got requests %v and limits %v, %v", got.Requests, got.Limits, err)
			}
			if want := !equal(before.Requests, c.requests) || !equal(before.Limits, c.limits); changed != want {
				t.Errorf("changed: %v", changed)
			}
		})
	}
}

func equal(a, b corev1.ResourceList) bool {
	for name, quantity := range a {
		if other, ok := b[name]; !ok || quantity.Cmp(other) != 0 {
			return false
		}
	}
	return len(a) == len(b)
}
