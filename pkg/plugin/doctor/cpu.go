package doctor

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
)

// cpu checks whether the pod's CPU limit, against which an ephemeral container counts, leaves enough
// for the profiler.
func (e *examination) cpu(context.Context) []Check {
	const name = "CPU"
	if reason := launch.TooLittleCPU(e.target.Pod); reason != "" {
		return []Check{{name, Warning, reason, "use --job, which has a CPU limit of its own"}}
	}
	limit, without := launch.PodLimit(e.target.Pod, corev1.ResourceCPU)
	if without != "" {
		return []Check{{name, OK, fmt.Sprintf("the pod has no limit, because container %q has none", without), ""}}
	}
	return []Check{{name, OK, fmt.Sprintf("the pod's limit of %s leaves room for the profiler", limit.String()), ""}}
}
