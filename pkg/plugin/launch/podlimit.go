package launch

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// PodLimit returns a pod's limit of a resource, which its ephemeral containers share. A pod has no limit
// if one of its containers has none; without is the name of that container (kubelet,
// pkg/kubelet/cm/helpers_linux.go; KEP-2837 for limits of the pod itself).
func PodLimit(pod *corev1.Pod, name corev1.ResourceName) (limit resource.Quantity, without string) {
	if pod.Spec.Resources != nil {
		if q := pod.Spec.Resources.Limits[name]; !q.IsZero() {
			return q, ""
		}
	}
	var sum, sidecars, largest resource.Quantity
	for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		if q := c.Resources.Limits[name]; q.IsZero() {
			return resource.Quantity{}, c.Name
		}
	}
	for _, c := range pod.Spec.Containers {
		sum.Add(c.Resources.Limits[name])
	}
	for _, c := range pod.Spec.InitContainers {
		q := c.Resources.Limits[name].DeepCopy()
		// A sidecar runs beside all containers that follow.
		if ptr.Deref(c.RestartPolicy, "") == corev1.ContainerRestartPolicyAlways {
			sidecars.Add(q)
			continue
		}
		if q.Add(sidecars); q.Cmp(largest) > 0 {
			largest = q
		}
	}
	sum.Add(sidecars)
	if largest.Cmp(sum) > 0 {
		return largest, ""
	}
	return sum, ""
}

// TooLittleCPU returns the reason why an ephemeral container of a pod would start very slowly, and what
// that costs, or "" if the pod's CPU limit leaves room for it.
func TooLittleCPU(pod *corev1.Pod) string {
	limit, without := PodLimit(pod, corev1.ResourceCPU)
	milli := limit.MilliValue()
	if without != "" || milli == 0 || milli >= requirements.CPU {
		return ""
	}
	start := (requirements.StartTime * 1000 / time.Duration(milli)).Round(time.Second)
	return fmt.Sprintf("the CPU limit of pod %q, %s, leaves no room for the profiler: "+
		"starting it would take %v or more and slow the pod down", pod.Name, limit.String(), start)
}
