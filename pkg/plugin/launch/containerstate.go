package launch

import (
	"errors"
	"fmt"
	"syscall"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// errEnded is part of the error of containerState if the container exited by itself.
var errEnded = errors.New("ended")

// containerState reports whether a container runs. If it still starts, state describes how far it
// is; if it can no longer run, err is the reason, to be read after "the profiler".
func containerState(pod *corev1.Pod, name, node string) (runs bool, state string, err error) {
	status := target.ContainerStatus(pod, name)
	starting := status == nil || status.State.Running == nil && status.State.Terminated == nil
	switch {
	case starting && pod.DeletionTimestamp != nil:
		return false, "", beingDeleted(pod, name)
	case status == nil:
		return notReported(pod, node)
	case status.State.Running != nil:
		return true, "", nil
	case status.State.Terminated != nil:
		return false, "", terminationError(status.State.Terminated)
	case status.State.Waiting != nil:
		return waitingState(status.State.Waiting)
	}
	return false, "no state yet", nil
}

// beingDeleted returns the error for a container of a pod that is being deleted: its node starts no
// more containers in it (kubelet, pkg/kubelet/pod_workers.go).
func beingDeleted(pod *corev1.Pod, container string) error {
	err := fmt.Errorf("cannot start: pod %q is being deleted", pod.Name)
	if findEphemeral(pod, container) != nil {
		err = fmt.Errorf("%w: use --job, which can still profile its containers", err)
	}
	return err
}

// notReported judges a pod that has no status of the container. A pod that its node rejects, for
// example as OutOfpods, never gets container statuses (kubelet, pkg/kubelet/lifecycle/predicate.go).
func notReported(pod *corev1.Pod, node string) (runs bool, state string, err error) {
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return false, "", fmt.Errorf("the pod has ended: %s %s", pod.Status.Reason, oneLine(pod.Status.Message))
	}
	return false, fmt.Sprintf("node %[1]q has not reported the container yet: "+
		"`kubectl describe node %[1]s` shows whether it is ready, virtual, or runs Windows", node), nil
}

// goCrash is the exit code of a Go program after a fatal error, such as the kernel's refusal of memory
// beyond RLIMIT_DATA.
const goCrash = 2

func terminationError(t *corev1.ContainerStateTerminated) error {
	switch {
	case t.Reason == "OOMKilled":
		return errors.New("was killed because the pod reached its memory limit (OOMKilled): use --job, which has memory of its own")
	case t.ExitCode == 128+int32(syscall.SIGKILL): // the message is the last log line and does not explain it
		return fmt.Errorf("was killed (exit code %d, %s)", t.ExitCode, t.Reason)
	case t.ExitCode == goCrash: // the message is a part of a Go traceback
		return fmt.Errorf("%w with exit code %d: it needed more memory at once than it may use, or it has a bug: profile a single process with --pid, or report it with the container's log", errEnded, t.ExitCode)
	}
	return fmt.Errorf("%w with exit code %d (%s): %s", errEnded, t.ExitCode, t.Reason, oneLine(t.Message))
}

func waitingState(w *corev1.ContainerStateWaiting) (runs bool, state string, err error) {
	text := w.Reason
	if w.Message != "" {
		text += ": " + oneLine(w.Message)
	}
	switch w.Reason {
	case "", "ContainerCreating", "PodInitializing":
		return false, text, nil
	}
	return false, "", fmt.Errorf("cannot start: %s", text)
}
