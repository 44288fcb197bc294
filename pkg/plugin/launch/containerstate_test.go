package launch

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestContainerState(t *testing.T) {
	const container = "kubectl-pprof-abcde"
	status := func(s corev1.ContainerState) corev1.PodStatus {
		return corev1.PodStatus{EphemeralContainerStatuses: []corev1.ContainerStatus{{Name: "other"}, {Name: container, State: s}}}
	}
	waiting := func(reason, message string) corev1.PodStatus {
		return status(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
	}
	for name, c := range map[string]struct {
		status     corev1.PodStatus
		state, err string
		runs       bool
		deleted    bool // the pod is being deleted
	}{
		"no status": {state: `node "node-1" has not reported the container yet: ` +
			"`kubectl describe node node-1` shows whether it is ready, virtual, or runs Windows"},
		"creating": {status: waiting("ContainerCreating", ""), state: "ContainerCreating"},
		"image cannot be pulled": {
			status: waiting("ErrImagePull", "rpc error:\n not found"),
			err:    "cannot start: ErrImagePull: rpc error: not found",
		},
		"container cannot be created": {
			status: waiting("CreateContainerError", "no space left"),
			err:    "cannot start: CreateContainerError: no space left",
		},
		"running": {status: status(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), runs: true},
		"ended": {
			status: status(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "no BTF\n"}}),
			err:    "ended with exit code 1 (Error): no BTF",
		},
		"killed for memory": {
			status: status(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", Message: "ready"}}),
			err:    "was killed because the pod reached its memory limit (OOMKilled): use --job, which has memory of its own",
		},
		"killed": {
			status: status(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "Error", Message: "ready"}}),
			err:    "was killed (exit code 137, Error)",
		},
		"out of its own memory": {
			status: status(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error", Message: "goroutine 7 [running]:\nruntime.throw"}}),
			err:    "ended with exit code 2: it needed more memory at once than it may use, or it has a bug: profile a single process with --pid, or report it with the container's log",
		},
		"rejected by the node": {
			status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfpods", Message: "too many pods"},
			err:    "the pod has ended: OutOfpods too many pods",
		},
		"pod being deleted": {
			deleted: true,
			err:     `cannot start: pod "web-0" is being deleted: use --job, which can still profile its containers`,
		},
		"running while the pod is being deleted": {
			status: status(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), deleted: true, runs: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-0"}, Status: c.status}
			pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{
				EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: container},
			}}
			if c.deleted {
				pod.DeletionTimestamp = &metav1.Time{}
			}
			runs, state, err := containerState(pod, container, "node-1")
			text := ""
			if err != nil {
				text = err.Error()
			}
			if runs != c.runs || state != c.state || text != c.err {
				t.Errorf("got %v, %q, %q, want %v, %q, %q", runs, state, text, c.runs, c.state, c.err)
			}
		})
	}
}
