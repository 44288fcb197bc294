package doctor

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// memory checks whether the pod's memory limit, against which an ephemeral container counts, leaves
// enough for the profiler.
func (e *examination) memory(ctx context.Context) []Check {
	const name = "memory"
	quantity, without := launch.PodLimit(e.target.Pod, corev1.ResourceMemory)
	if without != "" {
		return []Check{{name, OK, fmt.Sprintf("the pod has no limit, because container %q has none", without), ""}}
	}
	limit := quantity.Value()
	used, err := e.memoryUsage(ctx)
	if err != nil {
		return []Check{{name, Unknown, fmt.Sprintf("the profiler may need %d MiB of the pod's limit of %d MiB; how much the pod uses is unknown: %v",
			requirements.Memory>>20, limit>>20, err), ""}}
	}
	check := Check{name, OK, fmt.Sprintf("the pod uses %d of %d MiB, and the profiler may need %d", used>>20, limit>>20, requirements.Memory>>20), ""}
	if limit-used < requirements.Memory {
		check.Verdict, check.Remedy = Warning, "use --job, which has memory of its own"
	}
	return []Check{check}
}

// memoryUsage returns the memory that the pod uses, in bytes, from the metrics API
// (metrics.k8s.io/v1beta1), which not every cluster has.
func (e *examination) memoryUsage(ctx context.Context) (int64, error) {
	data, err := e.client.CoreV1().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1/namespaces", e.target.Namespace(), "pods", e.target.Pod.Name).DoRaw(ctx)
	if err != nil {
		return 0, fmt.Errorf("metrics API: %w", err)
	}
	var metrics struct {
		Containers []struct {
			Usage struct {
				Memory resource.Quantity `json:"memory"`
			} `json:"usage"`
		} `json:"containers"`
	}
	if err := json.Unmarshal(data, &metrics); err != nil {
		return 0, fmt.Errorf("metrics API: %w", err)
	}
	var sum int64
	for _, c := range metrics.Containers {
		sum += c.Usage.Memory.Value()
	}
	return sum, nil
}
