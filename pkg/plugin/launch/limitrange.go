package launch

import (
	"context"
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// limitRanges returns the LimitRanges of a namespace, or none if the user may not list them.
func limitRanges(ctx context.Context, client kubernetes.Interface, namespace string) []corev1.LimitRange {
	list, err := client.CoreV1().LimitRanges(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	return list.Items
}

// fitLimits changes the requests and limits of the only container of a pod to what the LimitRanges
// admit, and reports whether it has changed any. The error is a *Refusal if they leave less memory than
// the profiler needs.
func fitLimits(r *corev1.ResourceRequirements, ranges []corev1.LimitRange) (changed bool, err error) {
	before := r.DeepCopy()
	for _, l := range ranges {
		for _, item := range l.Spec.Limits {
			if item.Type != corev1.LimitTypeContainer && item.Type != corev1.LimitTypePod {
				continue
			}
			if most, ok := item.Max[corev1.ResourceMemory]; ok && most.Value() < requirements.Memory {
				reason := fmt.Sprintf("LimitRange %q admits at most %v of memory per %s, and the profiler may need %d MiB",
					l.Name, &most, item.Type, requirements.Memory>>20)
				return false, &Refusal{Job, reason, adviceLimitRange}
			}
			fitItem(r, item)
		}
	}
	for _, pair := range [][2]corev1.ResourceList{{before.Requests, r.Requests}, {before.Limits, r.Limits}} {
		changed = changed || len(pair[0]) != len(pair[1])
		for name, quantity := range pair[1] {
			changed = changed || quantity.Cmp(pair[0][name]) != 0
		}
	}
	return changed, nil
}

// fitItem makes requests and limits fit one item of a LimitRange, as the admission plugin LimitRanger
// checks them (kubernetes, plugin/pkg/admission/limitranger): the request and the limit are between min
// and max, both must be set, and the limit is at most maxLimitRequestRatio times the request.
func fitItem(r *corev1.ResourceRequirements, item corev1.LimitRangeItem) {
	for name, most := range item.Max {
		if limit, ok := r.Limits[name]; !ok || limit.Cmp(most) > 0 {
			r.Limits[name] = most
		}
		if request, ok := r.Requests[name]; ok && request.Cmp(most) > 0 {
			r.Requests[name] = most
		}
	}
	for name, least := range item.Min {
		if request, ok := r.Requests[name]; !ok || request.Cmp(least) < 0 {
			r.Requests[name] = least
		}
		if limit, ok := r.Limits[name]; ok && limit.Cmp(least) < 0 {
			r.Limits[name] = least
		}
	}
	for name, ratio := range item.MaxLimitRequestRatio {
		limit, limited := r.Limits[name]
		most := ratio.AsApproximateFloat64()
		if !limited || most < 1 {
			continue
		}
		least := *resource.NewMilliQuantity(int64(math.Ceil(float64(limit.MilliValue())/most)), limit.Format)
		if name != corev1.ResourceCPU { // whole bytes
			least = *resource.NewQuantity((least.MilliValue()+999)/1000, limit.Format)
		}
		if request, ok := r.Requests[name]; !ok || request.Cmp(least) < 0 {
			r.Requests[name] = least
		}
	}
}
