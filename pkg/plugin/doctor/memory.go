package doctor

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// memory compares the pod's limit, which an ephemeral container lives on, with what the pod uses.
func (e *examination) memory(ctx context.Context) []Check {
	const name, remedy = "memory", "use --job, whose memory is its own"
	var limit int64
	for _, c := range e.target.Pod.Spec.Containers {
		m := c.Resources.Limits.Memory().Value()
		if m == 0 {
			return []Check{{name, OK, fmt.Sprintf("the pod has no limit, for container %q has none", c.Name), ""}}
		}
		limit += m
	}
	used, err := e.usage(ctx)
	if err != nil {
		return []Check{{name, Unknown, fmt.Sprintf("the pod's limit is %d MiB, of which the profiler may need %d; what it uses cannot be told: %v",
			limit>>20, requirements.Memory>>20, err), ""}}
	}
	detail := fmt.Sprintf("%d of %d MiB are used, the profiler may need %d", used>>20, limit>>20, requirements.Memory>>20)
	if limit-used < requirements.Memory {
		return []Check{{name, Warning, detail, remedy}}
	}
	return []Check{{name, OK, detail, ""}}
}

// usage asks the metrics API, where there is one (metrics.k8s.io/v1beta1), for the pod's memory in bytes.
func (e *examination) usage(ctx context.Context) (int64, error) {
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
