package doctor

import (
	"context"
	"fmt"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
)

// pod checks whether the target's pod can have another ephemeral container.
func (e *examination) pod(context.Context) []Check {
	check := Check{"pod", OK, "it is not a static pod, has no user namespace and is not being deleted", ""}
	if reason := launch.Unsuitable(e.target.Pod, e.options.Launch); reason != "" {
		check = Check{"pod", Warning, reason, "use --job"}
	}
	return []Check{check, e.ephemeralContainers()}
}

// ephemeralContainers counts the ephemeral containers that earlier profiles added to the pod.
// Kubernetes never removes them, and they do not stand in the way of another profile.
func (e *examination) ephemeralContainers() Check {
	all := e.target.Pod.Spec.EphemeralContainers
	profilers := 0
	for _, c := range all {
		if launch.IsProfiler(c.Name) {
			profilers++
		}
	}
	check := Check{"ephemeral containers", OK, fmt.Sprintf("%d of earlier profiles, %d in total", profilers, len(all)), ""}
	if profilers > 0 {
		check.Detail += "; they stay until the pod is deleted, and if PodSecurity is tightened, they prevent others from being added"
	}
	return check
}
