package launch

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// keptProfiler describes a profiler that this user left running with --keep. Nothing in the cluster
// proves who created a container: whoever may create pods can imitate its name, image and arguments,
// and serve false profiles. So the user's machine remembers what it created, by the container ID,
// which the container runtime chooses at random and only the kubelet can report.
type keptProfiler struct {
	Mode        Mode      `json:"mode"`
	Namespace   string    `json:"namespace"`
	Pod         string    `json:"pod"`
	PodUID      types.UID `json:"podUID"`
	Container   string    `json:"container"`
	ContainerID string    `json:"containerID"` // as in the container's status
	Job         string    `json:"job,omitempty"`
	JobUID      types.UID `json:"jobUID,omitempty"`
	TargetID    string    `json:"targetID"`   // container ID of the target
	Image       string    `json:"image"`      // as requested; a policy of the cluster may have replaced it
	MemoryOnly  bool      `json:"memoryOnly"` // it lacks the privileges for BPF
	Deadline    time.Time `json:"deadline"`   // when it exits in any case
}

// newKept returns the part of the description that is known before the profiler is launched.
func newKept(mode Mode, t *target.Target, o Options, now time.Time) keptProfiler {
	return keptProfiler{
		Mode: mode, TargetID: t.ContainerID, Image: o.Image,
		MemoryOnly: o.Capabilities && o.MemoryOnly, Deadline: deadline(o, now),
	}
}

// suits reports whether the profiler can take another profile with the options before its deadline.
func (k *keptProfiler) suits(mode Mode, namespace string, t *target.Target, o Options, now time.Time) bool {
	return k.Mode == mode && k.Namespace == namespace && k.TargetID == t.ContainerID && k.Image == o.Image &&
		(mode == Job || k.PodUID == t.Pod.UID && Unsuitable(t.Pod, o) == "") && (o.MemoryOnly || !k.MemoryOnly) &&
		k.Deadline.After(now.Add(o.Duration+resultTime))
}

// runsIn reports whether the profiler's container runs in the pod.
func (k *keptProfiler) runsIn(pod *corev1.Pod) bool {
	status := target.ContainerStatus(pod, k.Container)
	return pod.UID == k.PodUID && pod.DeletionTimestamp == nil && k.ContainerID != "" &&
		status != nil && status.State.Running != nil && status.ContainerID == k.ContainerID
}

func (k *keptProfiler) ref() stream.Ref {
	return stream.Ref{Namespace: k.Namespace, Pod: k.Pod, Container: k.Container}
}
