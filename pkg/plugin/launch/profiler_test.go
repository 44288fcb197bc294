package launch

import (
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

func TestWhy(t *testing.T) {
	const profiler, runtime = "kubectl-pprof-abcde", "containerd://"
	ended := func(id string, code int32, reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ContainerID: id, ExitCode: code, Reason: reason, Message: message,
		}}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	for name, c := range map[string]struct {
		change func(*corev1.Pod)
		want   string
	}{
		"running": {func(*corev1.Pod) {}, ""},
		"target killed": {func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = ended(runtime+containerID, 137, "OOMKilled", "")
		}, `container "app" has ended with exit code 137 (OOMKilled)`},
		"target killed and restarted": {func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].ContainerID = runtime + "new"
			p.Status.ContainerStatuses[0].LastTerminationState = ended(runtime+containerID, 2, "Error", "")
		}, `container "app" has ended with exit code 2 (Error)`},
		"target restarted more than once": {func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].ContainerID = runtime + "new"
			p.Status.ContainerStatuses[0].LastTerminationState = ended(runtime+"second", 2, "Error", "")
		}, `container "app" was restarted`},
		"profiler failed": {func(p *corev1.Pod) {
			p.Status.EphemeralContainerStatuses[0].State = ended(runtime+"x", 1, "Error", "kernel has no BTF\n")
		}, `the profiler ended with exit code 1 (Error): kernel has no BTF`},
		"profiler killed before the target": {func(p *corev1.Pod) {
			p.Status.EphemeralContainerStatuses[0].State = ended(runtime+"x", 137, "OOMKilled", "ready")
			p.Status.ContainerStatuses[0].State = ended(runtime+containerID, 137, "OOMKilled", "")
		}, `container "app" has ended with exit code 137 (OOMKilled)`},
		"pod replaced": {func(p *corev1.Pod) { p.UID = "another" }, `pod "web-0" was deleted`},
		"pod being deleted": {func(p *corev1.Pod) {
			p.DeletionTimestamp, p.Finalizers = &metav1.Time{}, []string{"kept/there"}
		}, `pod "web-0" is being deleted`},
	} {
		t.Run(name, func(t *testing.T) {
			pod := web().Pod.DeepCopy()
			pod.Status = corev1.PodStatus{
				ContainerStatuses:          []corev1.ContainerStatus{{Name: "app", ContainerID: runtime + containerID, State: running}},
				EphemeralContainerStatuses: []corev1.ContainerStatus{{Name: profiler, State: running}},
			}
			c.change(pod)
			s := &Profiler{
				Ref:  stream.Ref{Namespace: "shop", Pod: "web-0", Container: profiler},
				Mode: Ephemeral, client: fake.NewClientset(pod), target: web(),
			}
			synctest.Test(t, func(t *testing.T) { // skips the wait for the kubelet's report
				if got := s.Why(t.Context()); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// A Job's profiler goes on while the target's pod is being deleted, until its container ends.
func TestTargetOfAJobIsBeingDeleted(t *testing.T) {
	pod := web().Pod.DeepCopy()
	pod.DeletionTimestamp, pod.Finalizers = &metav1.Time{}, []string{"kept/there"}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", ContainerID: "containerd://" + containerID}}
	s := &Profiler{Mode: Job, client: fake.NewClientset(pod), target: web()}
	if why, err := s.TargetEnded(t.Context()); why != "" || err != nil {
		t.Errorf("got %q, %v", why, err)
	}
}
